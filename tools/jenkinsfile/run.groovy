// Runs a declarative Jenkinsfile without a server, as far as possible: the order of stages, conditions, parallel
// branches, environment, credentials, and post conditions. Runs each `sh` with bash, or records it.
// Usage: groovy run.groovy Jenkinsfile runs.json, a list of runs, one after the other:
//   events      the output file for events, one line of JSON each
//   parameters  of the pipeline, by name; missing ones have their default
//   env         variables for the commands, besides those of this process
//   credentials for withCredentials and credentials(), by id; a missing one is a failure
//   record      true: records every command as successful instead of running it
//   fail        a command that contains this text fails without running
//   skip        commands to record while the others run
// Exits with 1 if one of the pipelines failed.
import groovy.ant.FileNameFinder
import groovy.json.JsonOutput
import groovy.json.JsonSlurper

class Failure extends RuntimeException {
  Failure(String message) { super(message) }
}

class Events {
  final Writer writer
  Events(File file) { writer = file.newWriter() }
  synchronized void add(Map event) {
    writer << JsonOutput.toJson(event) << '\n'
    writer.flush()
    println "[${event.stage ?: 'pipeline'}] ${event.findAll { it.key != 'stage' }.collect { "${it.key}=${it.value}" }.join(' ')}"
  }
}

/** The state of a run. */
class Run {
  Events events
  Map<String, Object> params
  Map<String, String> credentials
  boolean record
  String fail
  List<String> skip
  volatile boolean failed = false

  Map<String, String> credential(String id, Map wanted) {
    String value = credentials[id]
    if (value == null) throw new Failure("there is no credential ${id}")
    if (wanted.usernameVariable) {
      List<String> parts = value.split(':', 2) as List
      return [(wanted.usernameVariable): parts[0], (wanted.passwordVariable): parts[1]]
    }
    return [(wanted.variable ?: id): value]
  }
}

/** A block of the file. Collects its calls by name, to run them in Jenkins' order. */
class Section {
  final Map<String, Closure> blocks = [:]
  final List<List> stages = []
  final List<List> calls = []
  def none = 'none'
  def any = 'any'

  static Section of(Closure body, Object owner = null) {
    Section section = new Section()
    Closure copy = body.rehydrate(section, body.owner, body.thisObject)
    copy.resolveStrategy = Closure.DELEGATE_FIRST
    copy.call()
    return section
  }

  def methodMissing(String name, arguments) {
    List given = arguments as List
    if (name == 'stage') stages << given
    else {
      if (given && given.last() instanceof Closure) blocks[name] = given.last()
      calls << [name, given]
    }
    return [name, given]
  }
}

/** `environment { NAME = value }` */
class Variables {
  final Run run
  final Map<String, String> env
  final Map<String, String> found = [:]
  Variables(Run run, Map<String, String> env) { this.run = run; this.env = env }
  String credentials(String id) { run.credential(id, [variable: 'value']).value }
  def propertyMissing(String name) {
    if (name == 'env') return env + found
    if (name == 'params') return run.params
    return (env + found)[name]
  }
  void propertyMissing(String name, value) { found[name] = value as String }
}

/** The steps. */
class Steps {
  final Run run
  final String stage
  Map<String, String> env
  Steps(Run run, String stage, Map<String, String> env) { this.run = run; this.stage = stage; this.env = env }

  def propertyMissing(String name) {
    if (name == 'scm') return 'scm'
    if (name == 'params') return run.params
    if (name == 'env') return env
    throw new Failure("no ${name} here")
  }

  static void all(Run run, String stage, Map env, Closure body) {
    Closure copy = body.rehydrate(new Steps(run, stage, env), body.owner, body.thisObject)
    copy.resolveStrategy = Closure.DELEGATE_FIRST
    copy.call()
  }

  void sh(String command) {
    long began = System.currentTimeMillis()
    boolean fails = run.fail && command.contains(run.fail)
    boolean real = !run.record && !fails && !run.skip.contains(command)
    int code = fails ? 1 : 0
    if (real) {
      ProcessBuilder builder = new ProcessBuilder('bash', '-e', '-c', command).inheritIO()
      builder.redirectInput(ProcessBuilder.Redirect.from(new File('/dev/null')))
      builder.environment().putAll(env)
      code = builder.start().waitFor()
    }
    Map shown = env.findAll { it.key in ['NAMESPACE', 'OVERLAY', 'NEXT_IMAGE'] || it.key in ['COSIGN_KEY', 'REGISTRY_USER', 'KUBECONFIG'] }
    run.events.add(stage: stage, sh: command, code: code, real: real, seconds: (System.currentTimeMillis() - began) / 1000, env: shown)
    if (code != 0) throw new Failure("${command} ended with ${code}")
  }

  void withCredentials(List<Map> wanted, Closure body) {
    Map<String, String> more = [:]
    wanted.each { more.putAll(run.credential(it.credentialsId as String, it)) }
    all(run, stage, env + more, body)
  }
  Map usernamePassword(Map it) { it }
  Map file(Map it) { it }
  Map string(Map it) { it }

  void checkout(what) { note('checkout', what) }
  void echo(String text) { note('echo', text) }
  void deleteDir() { note('deleteDir', '') }
  void junit(Map it) { needs('junit', it.testResults as String, it.allowEmptyResults as boolean) }
  void archiveArtifacts(Map it) { needs('archiveArtifacts', it.artifacts as String, it.allowEmptyArchive as boolean) }
  void recordCoverage(Map it) { it.tools.each { tool -> needs('recordCoverage', tool.pattern as String, false) } }
  def methodMissing(String name, arguments) { throw new Failure("the stand-in has no step ${name}") }

  private void note(String step, what) { run.events.add(stage: stage, step: step, what: what as String) }

  /** The input files of a step must exist if the commands that make them ran. */
  private void needs(String step, String pattern, boolean mayBeNone) {
    note(step, pattern)
    if (run.record || mayBeNone) return
    if (new FileNameFinder().getFileNames('.', pattern).empty) throw new Failure("${step}: no file is ${pattern}")
  }
}

class Pipeline {
  final Run run
  Pipeline(Run run) { this.run = run }

  void perform(Section section, Map<String, String> env) {
    Map<String, String> own = env + variables(section, env)
    finish(section, 'pipeline', own) { stages(section, own) }
  }

  void stages(Section section, Map<String, String> env) {
    Section.of(section.blocks.stages).stages.each { stage(it[0] as String, it[1] as Closure, env) }
  }

  void stage(String name, Closure body, Map<String, String> env) {
    Section section = Section.of(body)
    if (run.failed) { run.events.add(stage: name, skipped: 'an earlier failure'); return }
    if (section.blocks.when && !allowed(section.blocks.when, env)) { run.events.add(stage: name, skipped: 'when'); return }
    run.events.add(stage: name, begins: true)
    Map<String, String> own = env
    finish(section, name, { own }) {
      own = env + variables(section, env)
      if (section.blocks.steps) Steps.all(run, name, own, section.blocks.steps)
      else if (section.blocks.parallel) parallel(section, own)
      else stages(section, own)
    }
  }

  void parallel(Section section, Map<String, String> env) {
    List<Throwable> thrown = Collections.synchronizedList([])
    List<Thread> branches = Section.of(section.blocks.parallel).stages.collect { given ->
      Thread.start {
        try { stage(given[0] as String, given[1] as Closure, env) } catch (Throwable error) { thrown << error }
      }
    }
    branches*.join()
    if (thrown) throw thrown.first()
  }

  /** Does the work, then the `post` conditions for its outcome. */
  void finish(Section section, String name, env, Closure work) {
    Throwable failure = null
    boolean failedBefore = run.failed
    try { work.call() } catch (Failure error) { failure = error; run.failed = true }
    boolean failed = failure != null || (run.failed && !failedBefore)
    if (failed && failure) run.events.add(stage: name, failure: failure.message)
    Map<String, String> own = env instanceof Closure ? env.call() : env
    Section post = section.blocks.post ? Section.of(section.blocks.post) : new Section()
    ['always', failed ? 'failure' : 'success', failed ? 'unsuccessful' : null, 'cleanup'].each { condition ->
      if (!condition || !post.blocks[condition]) return
      run.events.add(stage: name, post: condition)
      try { Steps.all(run, name, own, post.blocks[condition]) }
      catch (Failure error) { run.failed = true; run.events.add(stage: name, failure: error.message) }
    }
    run.events.add(stage: name, result: failed ? 'FAILURE' : 'SUCCESS')
  }

  Map<String, String> variables(Section section, Map<String, String> env) {
    if (!section.blocks.environment) return [:]
    Variables variables = new Variables(run, env)
    Closure copy = section.blocks.environment.rehydrate(variables, null, null)
    copy.resolveStrategy = Closure.DELEGATE_ONLY
    copy.call()
    return variables.found
  }

  boolean allowed(Closure when, Map<String, String> env) {
    Section section = Section.of(when)
    List unknown = section.calls.collect { it[0] } - ['expression', 'beforeOptions', 'beforeAgent']
    if (unknown) throw new Failure("the stand-in cannot judge when ${unknown}")
    Closure copy = section.blocks.expression.rehydrate(new Steps(run, 'when', env), null, null)
    copy.resolveStrategy = Closure.DELEGATE_ONLY
    return copy.call() as boolean
  }
}

boolean perform(Class<Script> jenkinsfile, Map given) {
  Closure declared = null
  Script file = jenkinsfile.getDeclaredConstructor().newInstance()
  file.metaClass.pipeline = { Closure body -> declared = body }
  file.run()
  Section pipeline = Section.of(declared)

  Map<String, Object> wanted = given.parameters ?: [:]
  Map<String, Object> params = [:]
  Section.of(pipeline.blocks.parameters).calls.each { String kind, List settings ->
    def value = wanted.containsKey(settings[0].name) ? wanted[settings[0].name] : settings[0].defaultValue
    params[settings[0].name] = kind == 'booleanParam' ? value.toString() == 'true' : value
  }
  Set<String> unknown = wanted.keySet() - params.keySet()
  if (unknown) throw new Failure("The Jenkinsfile has no parameter ${unknown}")

  Map<String, String> environment = new HashMap<>(System.getenv())
  environment.putAll(given.env ?: [:])
  environment.BUILD_NUMBER = environment.BUILD_NUMBER ?: '1'
  params.each { name, value -> environment[name] = value as String }
  Run run = new Run(
    events: new Events(new File(given.events as String)), params: params, credentials: given.credentials ?: [:],
    record: given.record as boolean, fail: given.fail, skip: given.skip ?: [])
  new Pipeline(run).perform(pipeline, environment)
  return !run.failed
}

List<Map> runs = new JsonSlurper().parse(new File(args[1])) as List<Map>
// Once for all runs, because it takes longer than a run.
Class<Script> jenkinsfile = new GroovyClassLoader().parseClass(new File(args[0]))
boolean allSucceeded = runs.collect { perform(jenkinsfile, it) }.every()
System.exit(allSucceeded ? 0 : 1)
