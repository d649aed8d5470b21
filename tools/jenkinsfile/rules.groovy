// CodeNarc's rules for the Jenkinsfile: those for Jenkins, and what is wrong in any Groovy.
ruleset {
  ruleset('rulesets/jenkins.xml')
  ruleset('rulesets/basic.xml')
  ruleset('rulesets/imports.xml')
  ruleset('rulesets/unused.xml')
  ruleset('rulesets/security.xml') {
    // It is about classes of Java.
    exclude 'JavaIoPackageAccess'
  }
}
