//! What tests, what says how tests are run, and what takes teeth out: words only.

/// Folders whose files are tests.
pub(super) const TEST_FOLDERS: &[&str] = &[
    "tests",
    "test",
    "__tests__",
    "spec",
    "specs",
    "e2e",
    "__snapshots__",
    "testdata",
];

/// Beginnings and ends of the names of files that are tests.
pub(super) const TEST_NAMES: &[(&str, &str)] = &[
    ("", "_test.go"),
    ("test_", ".py"),
    ("", "_test.py"),
    ("", "Test.java"),
    ("", "Tests.java"),
    ("", "Test.kt"),
    ("", "Tests.cs"),
    ("", "Test.php"),
    ("", "Tests.swift"),
    ("", "_spec.rb"),
    ("", "_test.rb"),
    ("", "_test.rs"),
    ("", "_test.exs"),
    ("", "_test.c"),
    ("", "_test.cc"),
    ("", "_test.cpp"),
    ("", "_test.sh"),
    ("", ".bats"),
    ("", ".snap"),
];

/// Whole names of files that are tests.
pub(super) const TEST_FILES: &[&str] =
    &["conftest.py", "tests.rs", "test.rs", "test.sh", "tests.sh"];

/// Files that only say how tests are run, whatever the command.
pub(super) const RUNNERS: &[&str] = &[
    "pytest.ini",
    "tox.ini",
    ".coveragerc",
    "noxfile.py",
    "jest.config.",
    "jest.setup.",
    "vitest.config.",
    "vitest.workspace.",
    "playwright.config.",
    "cypress.config.",
    "karma.conf.",
    ".mocharc.",
    ".nycrc",
    "codecov.yml",
    ".codecov.yml",
    "phpunit.xml",
    ".rspec",
    "nextest.toml",
    "ctesttestfile.cmake",
];

/// Files that say how a command works, by the words of the command.
pub(super) const CONFIGURATION: &[(&[&str], &[&str])] = &[
    (&["make", "gmake"], &["makefile", "gnumakefile"]),
    (&["just"], &["justfile", ".justfile"]),
    (&["task"], &["taskfile.yml", "taskfile.yaml"]),
    (
        &[
            "npm", "npx", "yarn", "pnpm", "bun", "jest", "vitest", "mocha",
        ],
        &["package.json"],
    ),
    (&["deno"], &["deno.json", "deno.jsonc"]),
    (
        &["pytest", "tox", "nox", "python", "python3", "py.test"],
        &["setup.cfg", "pyproject.toml"],
    ),
    (&["cargo"], &["cargo.toml", "config.toml"]),
    (&["rake", "bundle"], &["rakefile"]),
    (&["cmake", "ctest"], &["cmakelists.txt"]),
    (&["mvn", "mvnw"], &["pom.xml"]),
    (
        &["gradle", "gradlew"],
        &["build.gradle", "build.gradle.kts", "gradle.properties"],
    ),
    (&["pre-commit"], &[".pre-commit-config.yaml"]),
];

/// Where continuous integration keeps its files.
pub(super) const CI: &[&str] = &[
    ".github/workflows/",
    ".gitlab-ci",
    ".circleci/",
    ".buildkite/",
    ".travis.yml",
    "azure-pipelines",
    "jenkinsfile",
    "bitbucket-pipelines",
];

/// What takes a test out of the count, with its words.
pub(super) const SKIPS: &[(&str, &str)] = &[
    ("#[ignore", "a test is ignored"),
    ("#[cfg(any())]", "a test is not compiled"),
    ("#[cfg(not(test))]", "a test is not compiled"),
    ("pytest.mark.skip", "a test is skipped"),
    ("pytest.skip", "a test is skipped"),
    ("pytest.importorskip", "a test is skipped"),
    ("unittest.skip", "a test is skipped"),
    ("self.skiptest", "a test is skipped"),
    ("collect_ignore", "tests are not collected"),
    ("pytest_collection_modifyitems", "tests are chosen anew"),
    ("pytest_runtest_makereport", "results are changed"),
    ("xfail", "a test is expected to fail"),
    ("pytest.exit", "the tests end early"),
    ("it.skip", "a test is skipped"),
    ("test.skip", "a test is skipped"),
    ("describe.skip", "a test is skipped"),
    (".skipif(", "a test is skipped"),
    ("xit(", "a test is skipped"),
    ("xtest(", "a test is skipped"),
    ("xdescribe(", "a test is skipped"),
    ("it.only", "other tests are left out"),
    ("test.only", "other tests are left out"),
    ("describe.only", "other tests are left out"),
    ("fit(", "other tests are left out"),
    ("fdescribe(", "other tests are left out"),
    (".todo(", "a test is only announced"),
    (".fails(", "a test is expected to fail"),
    (".failing(", "a test is expected to fail"),
    ("t.skip", "a test is skipped"),
    ("b.skip", "a test is skipped"),
    ("testing.short()", "a test is skipped"),
    ("//go:build ignore", "a test is not compiled"),
    ("@ignore", "a test is ignored"),
    ("@disabled", "a test is disabled"),
    ("assumetrue(", "a test is skipped"),
    ("assumptions.", "a test is skipped"),
    ("[ignore", "a test is ignored"),
    ("xctskip", "a test is skipped"),
    ("gtest_skip", "a test is skipped"),
    ("marktestskipped", "a test is skipped"),
    ("marktestincomplete", "a test is skipped"),
    ("skip \"", "a test is skipped"),
    ("skip '", "a test is skipped"),
    ("|| true", "a failure is swallowed"),
    ("|| :", "a failure is swallowed"),
    ("||true", "a failure is swallowed"),
    ("set +e", "failures are swallowed"),
    ("--passwithnotests", "no tests count as passed"),
    ("continue-on-error", "failures are swallowed"),
    ("allow_failure", "failures are swallowed"),
    ("--no-verify", "checks are left out"),
    ("--ignore", "tests are left out"),
    ("--deselect", "tests are left out"),
    ("--skip", "tests are left out"),
    ("--exclude", "tests are left out"),
    ("testpathignorepatterns", "tests are left out"),
];

/// Lines that end a test before it has checked anything.
pub(super) const EARLY_ENDS: &[&str] = &[
    "return",
    "return;",
    "return true",
    "return true;",
    "return ok(())",
    "return ok(());",
    "return nil",
    "exit",
    "exit 0",
    "exit 0;",
    "exit(0)",
    "exit(0);",
    "os._exit(0)",
    "sys.exit()",
    "sys.exit(0)",
    "os.exit(0)",
    "process.exit(0)",
    "process.exit(0);",
    "std::process::exit(0);",
];

/// What a line that checks something has.
pub(super) const CHECKS: &[&str] = &[
    "assert", "expect(", "expect!", "expect ", "should", "t.error", "t.fatal", "t.fail", "verify(",
    "check ", "check(", "require.", "raises(", "panic!", "fail(",
];

/// What marks tests in the middle of Rust code.
pub(super) const RUST_TESTS: &[&str] = &[
    "#[test]",
    "#[tokio::test",
    "#[cfg(test)]",
    "#[should_panic",
    "#[rstest",
    "proptest!",
    "assert!(",
    "assert_eq!(",
    "assert_ne!(",
    "assert_matches!(",
];
