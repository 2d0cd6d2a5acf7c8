//! One row a case: what changed, what verifies, what is said.

use super::Status::{Added as New, Deleted, Modified, Renamed, TypeChanged};
use super::{Change, Status, Verdict, concerns, judge};

/// What is expected: nothing, only more tests, or a reason that contains this.
enum Say {
    Fine,
    Added,
    Weak(&'static str),
}
use Say::{Added, Fine, Weak};

type Row = (
    &'static str,
    Status,
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
    Say,
);

#[rustfmt::skip] // One line a case, so that they can be compared.
const ROWS: &[Row] = &[
    // Code that is not its own judge.
    ("calc.sh", Modified, &["echo $(($1 - $2))"], &["echo $(($1 + $2))"], "sh test.sh", Fine),
    ("src/main.py", Modified, &["return 1"], &["return 2"], "pytest", Fine),
    ("src/testing_notes.md", New, &[], &["assert nothing"], "pytest", Fine),
    ("latest/app.js", Modified, &["a"], &["b"], "npm test", Fine),
    ("contest.py", Modified, &["assert x"], &[], "pytest", Fine),
    ("main.c", Modified, &["return 1;"], &["return 0;"], "gcc main.c -o main && ./main", Fine),
    ("result.txt", New, &[], &["42"], "grep -q 42 result.txt", Fine),
    // New tests, and more in old ones.
    ("tests/test_more.py", New, &[], &["def test_x():", "    assert f() == 1"], "pytest", Added),
    ("test/b.test.js", New, &[], &["it.skip('later', () => {})"], "npm test", Added),
    ("pkg/a_test.go", New, &[], &["func TestA(t *testing.T) {"], "go test ./...", Added),
    ("tests/test_a.py", Modified, &[], &["def test_y():", "    assert g() == 2"], "pytest", Added),
    ("tests/test_a.py", Modified, &["cases = [1]"], &["cases = [1],"], "pytest", Added),
    ("tests/test_a.py", Modified, &["import os", "# old"], &["import sys"], "pytest", Fine),
    ("tests/test_a.py", Modified, &["assert f() == 1"], &["    assert f() == 1", "x = 1"], "pytest", Added),
    ("tests/a.rs", Renamed, &[], &[], "cargo test", Fine),
    ("conftest.py", New, &[], &["import pytest", "@pytest.fixture"], "pytest", Added),
    // Gone.
    ("tests/test_a.py", Deleted, &["assert f() == 1"], &[], "pytest", Weak("deleted")),
    ("src/app.spec.ts", Deleted, &[], &[], "npm test", Weak("deleted")),
    ("tests/link", TypeChanged, &[], &[], "make", Weak("another kind")),
    ("tests/data.bin", Modified, &[], &[], "make", Weak("contents or permissions")),
    // Checks removed or changed.
    ("tests/test_a.py", Modified, &["    assert f() == 1"], &[], "pytest", Weak("assert f() == 1")),
    ("tests/test_a.py", Modified, &["assert f() == 1"], &["assert f() == 2"], "pytest", Weak("removed or changed")),
    ("test/a.test.js", Modified, &["expect(f()).toBe(1)"], &["expect(f()).toBeDefined()"], "npm test", Weak("expect(f())")),
    ("pkg/a_test.go", Modified, &["t.Errorf(\"no\")"], &[], "go test ./...", Weak("t.Errorf")),
    ("tests/table.rs", Modified, &["    (\"2+2\", 4),"], &["    (\"2+2\", 5),"], "cargo test", Weak("a test was changed")),
    ("spec/a_spec.rb", Modified, &["expect(x).to eq 1"], &["x"], "rspec", Weak("expect(x)")),
    ("src/__snapshots__/a.js.snap", Modified, &["<b>1</b>"], &["<b>2</b>"], "npm test", Weak("a test was changed")),
    ("src/ATest.java", Modified, &["assertEquals(1, f());"], &["f();"], "mvn test", Weak("assertEquals")),
    // Taken out of the count.
    ("tests/test_a.py", Modified, &[], &["@pytest.mark.skip"], "pytest", Weak("skipped")),
    ("tests/test_a.py", Modified, &[], &["@pytest.mark.xfail"], "pytest", Weak("expected to fail")),
    ("tests/a.rs", Modified, &[], &["#[ignore = \"slow\"]"], "cargo test", Weak("ignored")),
    ("test/a.test.js", Modified, &["it('a', f)"], &["it.only('a', f)"], "npm test", Weak("left out")),
    ("test/a.test.js", Modified, &["it('a', f)"], &["xit('a', f)"], "npm test", Weak("skipped")),
    ("test/a.test.js", Modified, &[], &["it.todo('a')"], "npm test", Weak("announced")),
    ("pkg/a_test.go", Modified, &[], &["t.Skip(\"flaky\")"], "go test ./...", Weak("skipped")),
    ("src/ATest.java", Modified, &[], &["@Disabled"], "mvn test", Weak("disabled")),
    ("tests/test_a.py", Modified, &[], &["    return"], "pytest", Weak("ends early")),
    ("tests/run.sh", Modified, &[], &["exit 0"], "make check", Weak("ends early")),
    ("tests/run.sh", Modified, &["./a"], &["./a || true"], "make check", Weak("swallowed")),
    ("conftest.py", New, &[], &["collect_ignore = ['test_a.py']"], "pytest", Weak("not collected")),
    // Rust's tests in the middle of the code.
    ("src/lib.rs", Modified, &["    assert_eq!(f(), 1);"], &[], "cargo test", Weak("assert_eq!")),
    ("src/lib.rs", Modified, &["    #[test]"], &[], "cargo test", Weak("#[test]")),
    ("src/lib.rs", Modified, &[], &["    #[ignore]"], "cargo test", Weak("ignored")),
    ("src/lib.rs", Modified, &["let x = 1;"], &["let x = 2;"], "cargo test", Fine),
    ("src/lib.rs", Modified, &[], &["#[test]", "fn g() {", "assert!(f());"], "cargo test", Added),
    // What verifies.
    ("test.sh", Modified, &["check \"add 2 3\""], &[], "sh test.sh", Weak("runs this file")),
    ("test.sh", Modified, &[], &["exit 0"], "sh ./test.sh", Weak("ends early")),
    ("tools/check", Modified, &["a"], &["b"], "cd tools && ./check --all", Weak("runs this file")),
    ("verify.py", New, &[], &["print(1)"], "python3 verify.py", Weak("wrote what verifies")),
    ("expected.txt", Modified, &["5"], &["-1"], "sh calc.sh | diff expected.txt -", Weak("names this file")),
    ("Makefile", Modified, &["\tpytest"], &["\ttrue"], "make test", Weak("what the verify command does")),
    ("Makefile", Modified, &["\tpytest"], &["\ttrue"], "pytest", Fine),
    ("justfile", Modified, &["cargo test"], &["cargo test -- --skip slow"], "just test", Weak("left out")),
    ("package.json", Modified, &["\"test\": \"jest\","], &["\"test\": \"jest --passWithNoTests\","], "npm test", Weak("no tests count")),
    ("package.json", Modified, &["\"left-pad\": \"^1.2.0\","], &["\"left-pad\": \"^1.3.0\","], "npm test", Fine),
    ("package.json", Modified, &["\"branches\": 80"], &["\"branches\": 10"], "npm test", Weak("what the verify command does")),
    ("Cargo.toml", Modified, &[], &["serde = { version = \"1\" }"], "cargo test", Fine),
    ("Cargo.toml", Modified, &[], &["autotests = false"], "cargo test", Weak("what the verify command does")),
    ("pyproject.toml", Modified, &["fail_under = 90"], &["fail_under = 10"], "pytest -q", Weak("what the verify command does")),
    ("pytest.ini", New, &[], &["addopts = --ignore=tests"], "sh all.sh", Weak("left out")),
    ("web/jest.config.js", Modified, &["global: 80"], &["global: 1"], "npm test", Weak("how tests are run")),
    (".github/workflows/ci.yml", Modified, &["- run: make"], &["- run: make || true"], "make", Weak("swallowed")),
    ("tox.ini", Deleted, &[], &[], "tox", Weak("deleted")),
    ("tests/test_a.py", Modified, &["assert a"], &["assert b"], "pytest tests/test_a.py", Weak("removed or changed")),
    ("tests/test_a.py", Modified, &[], &["def test_b():", "    assert b"], "pytest tests/test_a.py", Added),
    ("calc.py", Modified, &["a"], &["b"], "python -m py_compile calc.py", Fine),
    (".cargo/config.toml", Modified, &["a = 1"], &["b = [2]"], "cargo test", Weak("what the verify command does")),
    ("app/config.toml", Modified, &["a = 1"], &["b = [2]"], "cargo test", Fine),
];

#[test]
fn every_case_is_judged_as_it_should_be() {
    let mut wrong = Vec::new();
    for (path, status, removed, added, command, expected) in ROWS {
        let change = Change {
            path,
            old_path: None,
            status: *status,
            removed,
            added,
        };
        let verdict = judge(&change, command);
        let right = match (&verdict, expected) {
            (Verdict::Fine, Fine) | (Verdict::Added, Added) => true,
            (Verdict::Weakened(reason), Weak(words)) => reason.contains(words),
            _ => false,
        };
        if !right {
            wrong.push(format!(
                "{path} -{removed:?} +{added:?} by `{command}`: {verdict:?}"
            ));
        }
        assert!(
            verdict == Verdict::Fine || concerns(path, command),
            "{path} would not be looked at"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_test_that_gets_a_name_under_which_nobody_looks_for_it_is_seen() {
    let renamed = |path, old_path| {
        let change = Change {
            path,
            old_path: Some(old_path),
            status: Renamed,
            removed: &[],
            added: &[],
        };
        judge(&change, "pytest")
    };
    let away = renamed("old/a.py.bak", "tests/test_a.py");
    assert!(
        matches!(away, Verdict::Weakened(ref why) if why.contains("renamed")),
        "{away:?}"
    );
    assert_eq!(renamed("tests/test_b.py", "tests/test_a.py"), Verdict::Fine);
    let changed = Change {
        path: "tests/test_b.py",
        old_path: Some("tests/test_a.py"),
        status: Renamed,
        removed: &["assert f() == 1"],
        added: &[],
    };
    assert!(matches!(judge(&changed, "pytest"), Verdict::Weakened(_)));
}
