// CodeNarc's rules for the Jenkinsfile: the Jenkins rules and the general ones.
ruleset {
  ruleset('rulesets/jenkins.xml')
  ruleset('rulesets/basic.xml')
  ruleset('rulesets/imports.xml')
  ruleset('rulesets/unused.xml')
  ruleset('rulesets/security.xml') {
    // It applies to Java classes.
    exclude 'JavaIoPackageAccess'
  }
}
