use super::read_only_command;

/// One command a line.
const READ_ONLY: &str = r#"
ls
ls -la src
ls -- -x
  ls  
pwd
cat README.md
cat -n 'a b.txt'
head -20 a
head -n 5 a b
tail -n +5 a
tail -c100 a
wc -l src/main.rs
true
echo hello world
echo "it's fine"
grep -rn TODO src
grep -rn 'a|b$' .
grep -e x -e y a.txt
grep -n /api/ src
grep -A 3 x f
grep -rn --include='*.rs' foo .
rg -n 'fn main\(' src
rg -g '*.rs' foo
rg -e /etc src
find
find . -name '*.rs' -type f
find src -maxdepth 2 -not -empty
find . -newer a.txt -print
git status
git status -s
git diff
git diff --stat HEAD~1 -- src
git diff main..topic
git log --oneline -5
git log -n 3 --format=%H
git log --since='2 days ago' -U5 -p
git show HEAD:src/main.rs
git show HEAD^
git branch
git branch --show-current
git --no-pager log -3
git rev-parse --abbrev-ref HEAD
git ls-files
"#;

/// One command a line.
const NOT_READ_ONLY: &str = r#"
ls; rm -rf x
ls && x
ls & x
ls | sh
ls > out
ls >> out
cat < in
cat <(ls)
echo $(id)
echo `id`
echo "$(id)"
echo "`id`"
echo $HOME
echo "$HOME"
echo "a\"; id"
echo a\;b
echo 'a'$(id)'b'
{ ls; }
(ls)
!ls
ls #x
ls *
ls a?
cat [ab]
cat {a,b}
echo 'unfinished
echo "unfinished
ls ~
cat ~/.ssh/id_rsa
cat ~root/x
echo a=~/x
cat --x=~/a
cat /etc/passwd
cat '/etc/passwd'
cat "/etc/pass"wd
cat -n /etc/passwd
cat -- /etc/passwd
cat - /etc/passwd
ls /
head ../secret
cat a/../../b
cat ..
grep x /etc/passwd
grep -e x /etc/passwd
grep -r x ..
grep -R x .
grep -f /etc/passwd x
grep -f pats x
grep --file=x y
grep -P x y
grep -rf x y
grep
grep --include='*.rs'
rg --pre=sh x
rg --pre sh x
rg -z x
rg --hostname-bin=x y
rg -f x y
rg x /etc
rg -L x .
rg --files
rg
tail -f log
tail --follow log
tail -F log
tail -nf log
tail --pid=1 x
wc --files0-from=x
ls --color=always
ls --time-style=+x
sort a
sort a -o b
sort -o b a
tee x
xargs ls
env ls
sh -c ls
command ls
exec ls
eval ls
X=1 ls
LD_PRELOAD=x ls
/bin/ls
./ls
bin/ls
\ls
l\s
"ls -la"
find . -delete
find . -exec rm x
find . -execdir x
find . -ok x
find . -okdir x
find . -fprint x
find . -fprintf x y
find . -fls x
find . -fprint0 x
find . -name x -delete
find . -name -delete -delete
find / -name x
find .. -name x
find -L .
find . -files0-from x
find . '(' -delete ')'
find . -newer /etc/passwd
find . -name
find -f x
git
git -C /tmp status
git -c core.pager=x log
git -c core.fsmonitor=x status
git --git-dir=x log
git --exec-path=x log
git --work-tree=/ status
git --paginate log
git -p log
git diff --output=x
git diff --output x
git diff -o x
git diff --ext-diff
git diff --textconv
git diff --no-index /etc/passwd x
git diff --no-index a b
git diff /etc/passwd x
git diff -O/etc/passwd
git diff -Oorder
git log --ext-diff -p
git log --textconv
git log --output=x
git log --show-signature
git log -L1,2:a
git log -n
git log -n x
git log --stdin
git show ../x
git show --ext-diff
git grep -O x
git grep x
git blame --contents=/etc/passwd x
git branch x
git branch -D x
git branch -a x
git branch -d
git branch --edit-description
git branch -- x
git commit -m x
git checkout .
git reset
git stash
git clean -f
git push
git fetch
git apply x
git add .
git config x y
git archive
git status --foo
git status -n
git rev-parse --git-path x
git rev-parse --parseopt
git ls-files -X/etc/passwd
git ls-files --exclude-from=x
true x
pwd x
pwd --help
whoami
curl x
python -c x
awk 1
sed -i x y
sed -n 1p x
dd
cp a b
printf x
date -s x
"#;

fn commands(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter(|line| !line.is_empty())
}

#[test]
fn looking_around_is_read_only() {
    for command in commands(READ_ONLY) {
        assert!(read_only_command(command).is_some(), "{command}");
    }
}

#[test]
fn whatever_could_do_more_is_not() {
    let lines_and_blanks = [
        "",
        "   ",
        "ls\nrm x",
        "ls\rrm x",
        "ls\trm",
        "echo \0x",
        "ls\u{a0}x; y",
        "ls 'a\nb'",
    ];
    for command in commands(NOT_READ_ONLY).chain(lines_and_blanks) {
        assert_eq!(read_only_command(command), None, "{command}");
    }
}

#[test]
fn nothing_a_shell_acts_on_passes_unquoted() {
    let acted_on = |c: &char| c.is_ascii_control() || ";&|<>()$`\\!*?[]{}#".contains(*c);
    for c in (0u8..128).map(char::from).filter(acted_on) {
        for command in [
            format!("ls a{c}b"),
            format!("ls {c}b"),
            format!("ls{c}b"),
            format!("echo x {c}"),
        ] {
            assert_eq!(read_only_command(&command), None, "{command:?}");
        }
    }
}

/// Any two words around a list of arguments: no combination gets an option or path
/// through that does not get through alone.
#[test]
fn what_is_refused_alone_is_refused_in_company() {
    let bad = [
        "/etc/passwd",
        "../x",
        "--output=x",
        "-delete",
        "--pre=sh",
        "--ext-diff",
        "-exec",
        "-f",
        "~/x",
    ];
    let company = ["src", "-n", "--", "-l", "-e", "x", "--stat", "-name", "5"];
    for program in [
        "ls",
        "cat",
        "head",
        "wc",
        "git diff",
        "git log",
        "git show",
        "git status",
        "find",
    ] {
        for bad in bad
            .iter()
            .filter(|bad| read_only_command(&format!("{program} {bad}")).is_none())
        {
            for word in company {
                // `-name -delete` looks for a file of that name; after `--` options are paths.
                let harmless = word == "-name" || (word == "--" && bad.starts_with('-'));
                let before = format!("{program} {word} {bad}");
                assert!(harmless || read_only_command(&before).is_none(), "{before}");
                let after = format!("{program} {bad} {word}");
                assert!(read_only_command(&after).is_none(), "{after}");
            }
        }
    }
}
