// Checks a Jenkinsfile against the grammar of declarative pipelines (https://www.jenkins.io/doc/book/pipeline/syntax/),
// as far as a text can be checked without a server: sections, what each may hold, and syntax that Jenkins' Groovy (2.4)
// lacks; then with CodeNarc's rules (rules.groovy).
// Usage: groovy check.groovy Jenkinsfile; prints each problem with its line, and exits with 1 if there is one.
import org.codehaus.groovy.ast.ASTNode
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.builder.AstBuilder
import org.codehaus.groovy.ast.expr.ArgumentListExpression
import org.codehaus.groovy.ast.expr.BinaryExpression
import org.codehaus.groovy.ast.expr.ClosureExpression
import org.codehaus.groovy.ast.expr.LambdaExpression
import org.codehaus.groovy.ast.expr.MethodCallExpression
import org.codehaus.groovy.ast.expr.MethodReferenceExpression
import org.codehaus.groovy.control.CompilePhase
import org.codehaus.groovy.control.MultipleCompilationErrorsException
import org.codenarc.CodeNarc

class Checker extends CodeVisitorSupport {
  static final Map<String, Set<String>> SECTIONS = [
    pipeline: ['agent', 'environment', 'libraries', 'options', 'parameters', 'post', 'stages', 'tools', 'triggers'] as Set,
    stage: ['agent', 'environment', 'failFast', 'input', 'matrix', 'options', 'parallel', 'post', 'stages', 'steps', 'tools', 'when'] as Set,
  ]
  static final Set<String> POST = ['always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable', 'unsuccessful', 'cleanup'] as Set
  static final Set<String> WHEN = ['allOf', 'anyOf', 'not', 'branch', 'buildingTag', 'changelog', 'changeset', 'changeRequest', 'environment', 'equals', 'expression', 'tag', 'triggeredBy', 'beforeAgent', 'beforeInput', 'beforeOptions'] as Set
  static final Set<String> PIPELINE_OPTIONS = ['buildDiscarder', 'checkoutToSubdirectory', 'disableConcurrentBuilds', 'disableResume', 'durabilityHint', 'lock', 'newContainerPerStage', 'overrideIndexTriggers', 'parallelsAlwaysFailFast', 'preserveStashes', 'quietPeriod', 'rateLimitBuilds', 'retry', 'skipDefaultCheckout', 'skipStagesAfterUnstable', 'timeout', 'timestamps'] as Set
  static final Set<String> STAGE_OPTIONS = ['lock', 'retry', 'skipDefaultCheckout', 'timeout', 'timestamps'] as Set
  static final Set<String> PARAMETERS = ['booleanParam', 'choice', 'file', 'password', 'string', 'text'] as Set
  static final Set<String> STEPS = ['archiveArtifacts', 'catchError', 'checkout', 'cleanWs', 'deleteDir', 'dir', 'echo', 'error', 'input', 'junit', 'lock', 'milestone', 'publishHTML', 'recordCoverage', 'retry', 'script', 'sh', 'stash', 'timeout', 'unstash', 'withCredentials', 'withEnv'] as Set
  static final Set<String> BLOCKS = ['catchError', 'dir', 'lock', 'retry', 'timeout', 'withCredentials', 'withEnv'] as Set

  final List<String> problems = []

  void problem(ASTNode node, String text) {
    problems << "${node.lineNumber}: ${text}".toString()
  }

  void checkPipeline(ASTNode root, MethodCallExpression call) {
    ClosureExpression body = closureOf(call)
    if (body == null) { problem(call, 'pipeline has no block'); return }
    Map<String, MethodCallExpression> sections = sectionsOf(body, 'pipeline', SECTIONS.pipeline)
    ['agent', 'stages'].each { if (!sections[it]) problem(call, "pipeline has no ${it}") }
    checkCommon(sections, PIPELINE_OPTIONS)
    if (sections.parameters) entries(sections.parameters, 'parameters', PARAMETERS)
    if (sections.stages) checkStages(sections.stages)
  }

  void checkStages(MethodCallExpression call) {
    List<MethodCallExpression> stages = callsOf(closureOf(call), call.methodAsString)
    if (stages.empty) problem(call, "${call.methodAsString} has no stage")
    Set<String> names = []
    stages.each { MethodCallExpression stage ->
      if (stage.methodAsString != 'stage') {
        problem(stage, "${call.methodAsString} holds ${stage.methodAsString}, and only stage may be there")
        return
      }
      String name = firstArgument(stage)
      if (!name) problem(stage, 'stage has no name')
      if (!names.add(name)) problem(stage, "two stages are named ${name}")
      checkStage(stage, name)
    }
  }

  void checkStage(MethodCallExpression stage, String name) {
    ClosureExpression body = closureOf(stage)
    if (body == null) { problem(stage, "stage ${name} has no block"); return }
    Map<String, MethodCallExpression> sections = sectionsOf(body, "stage ${name}", SECTIONS.stage)
    List<String> work = ['steps', 'parallel', 'matrix', 'stages'].findAll { sections[it] }
    if (work.size() != 1) problem(stage, "stage ${name} needs exactly one of steps, parallel, matrix and stages, and has ${work ?: 'none'}")
    checkCommon(sections, STAGE_OPTIONS)
    if (sections.when) entries(sections.when, 'when', WHEN)
    if (sections.steps) checkSteps(sections.steps)
    ['stages', 'parallel'].each { if (sections[it]) checkStages(sections[it]) }
  }

  void checkCommon(Map<String, MethodCallExpression> sections, Set<String> options) {
    if (sections.options) entries(sections.options, 'options', options)
    if (sections.post) {
      entries(sections.post, 'post', POST).each { checkSteps(it) }
    }
  }

  void checkSteps(MethodCallExpression holder) {
    List<MethodCallExpression> steps = callsOf(closureOf(holder), holder.methodAsString)
    if (steps.empty) problem(holder, "${holder.methodAsString} has no step")
    steps.each { MethodCallExpression step ->
      String name = step.methodAsString
      if (!(name in STEPS)) problem(step, "no step is known by the name ${name}")
      if (name == 'sh' && !(firstArgument(step) ==~ /make [a-z-]+( [A-Z_]+=("[^"]*"|\S+))*/)) problem(step, "sh is one make target, with its settings: ${firstArgument(step)}")
      if (name in BLOCKS) checkSteps(step)
    }
  }

  /** The calls in a section by name; each at most once, where it is a section of a stage or the pipeline. */
  Map<String, MethodCallExpression> sectionsOf(ClosureExpression body, String of, Set<String> known) {
    Map<String, MethodCallExpression> found = [:]
    callsOf(body, of).each { MethodCallExpression call ->
      String name = call.methodAsString
      if (!(name in known)) problem(call, "${of} has no section ${name}")
      if (found.put(name, call)) problem(call, "${of} has ${name} twice")
    }
    return found
  }

  List<MethodCallExpression> entries(MethodCallExpression section, String of, Set<String> known) {
    List<MethodCallExpression> calls = callsOf(closureOf(section), of)
    if (calls.empty) problem(section, "${of} is empty")
    calls.each { if (!(it.methodAsString in known)) problem(it, "${of} knows no ${it.methodAsString}") }
    return calls
  }

  List<MethodCallExpression> callsOf(ClosureExpression body, String of) {
    if (body == null) return []
    return body.code.statements.findResults { statement ->
      def expression = statement.hasProperty('expression') ? statement.expression : null
      if (expression instanceof MethodCallExpression) return expression
      problem(statement, "${of} holds something that is no section and no step: ${statement.text}")
      return null
    }
  }

  static ClosureExpression closureOf(MethodCallExpression call) {
    def arguments = call.arguments
    if (!(arguments instanceof ArgumentListExpression) || arguments.expressions.empty) return null
    def last = arguments.expressions.last()
    return last instanceof ClosureExpression ? last : null
  }

  static String firstArgument(MethodCallExpression call) {
    def arguments = call.arguments
    def first = arguments instanceof ArgumentListExpression && arguments.expressions ? arguments.expressions.first() : null
    return first?.hasProperty('value') ? first.value as String : first?.text
  }

  // Syntax that Groovy 2.4 rejects.
  @Override void visitLambdaExpression(LambdaExpression expression) { problem(expression, 'a lambda: not in Groovy 2.4') }
  @Override void visitMethodReferenceExpression(MethodReferenceExpression expression) { problem(expression, 'a method reference: not in Groovy 2.4') }
  @Override void visitBinaryExpression(BinaryExpression expression) {
    if (expression.operation.text in ['===', '!==', '!in', '!instanceof', '?=']) problem(expression, "${expression.operation.text}: not in Groovy 2.4")
    if (expression.safe) problem(expression, '?[ ]: not in Groovy 2.4')
    super.visitBinaryExpression(expression)
  }
}

def file = new File(args[0])
def checker = new Checker()
try {
  def nodes = new AstBuilder().buildFromString(CompilePhase.CONVERSION, false, file.text)
  def statements = nodes.first().statements
  def calls = statements.collect { it.hasProperty('expression') ? it.expression : null }
  def pipelines = calls.findAll { it instanceof MethodCallExpression && it.methodAsString == 'pipeline' }
  if (pipelines.size() != 1 || statements.size() != 1) checker.problems << "1: the file must be one pipeline and nothing beside it, and has ${statements.size()} statements"
  pipelines.each { checker.checkPipeline(nodes.first(), it) }
  statements.each { it.visit(checker) }
} catch (MultipleCompilationErrorsException error) {
  error.errorCollector.errors.each { checker.problems << "${it.cause?.startLine ?: 1}: ${it.cause?.message ?: it}".toString() }
}
checker.problems.each { System.err.println("${args[0]}:${it}") }
if (checker.problems) System.exit(1)

// In this JVM, which has learned the grammar. It searches the whole base directory, so all of node_modules in the project's.
def folder = File.createTempDir()
def copy = new File(folder, file.name)
copy.text = file.text
// It may end this process. What is registered last is deleted first.
[folder, copy]*.deleteOnExit()
CodeNarc.main(
  "-basedir=${folder}".toString(), "-includes=${file.name}".toString(), '-report=console:stdout',
  "-rulesetfiles=file:${new File('tools/jenkinsfile/rules.groovy').absolutePath}".toString(),
  *(1..3).collect { "-maxPriority${it}Violations=0".toString() })
