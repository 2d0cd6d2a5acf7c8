//! A unified diff, file by file.

/// What a diff says of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileDiff {
    /// Its path afterwards, or before, where it is gone.
    pub(crate) path: String,
    /// This part of the diff, as it is.
    pub(crate) text: String,
    /// Lines it has no more.
    pub(crate) removed: Vec<String>,
    /// Lines it has now.
    pub(crate) added: Vec<String>,
}

/// The files of a diff as git writes it with `--no-color` and its usual prefixes.
pub(crate) fn by_file(diff: &str) -> Vec<FileDiff> {
    let mut files: Vec<FileDiff> = Vec::new();
    // Lines of a hunk still to come, of before and of after: what they look like says nothing.
    let (mut before, mut after) = (0_u64, 0_u64);
    for line in diff.split_inclusive('\n') {
        let text = line.strip_suffix('\n').unwrap_or(line);
        if before == 0 && after == 0 && text.starts_with("diff --git ") {
            files.push(FileDiff {
                path: path_of_header(text),
                ..FileDiff::default()
            });
        }
        let Some(file) = files.last_mut() else {
            continue;
        };
        file.text.push_str(line);
        if before > 0 || after > 0 {
            match text.chars().next() {
                Some('-') => {
                    before = before.saturating_sub(1);
                    file.removed.push(text[1..].to_owned());
                }
                Some('+') => {
                    after = after.saturating_sub(1);
                    file.added.push(text[1..].to_owned());
                }
                // "\ No newline at end of file" is no line of either.
                Some('\\') => {}
                _ => (before, after) = (before.saturating_sub(1), after.saturating_sub(1)),
            }
        } else if let Some(sizes) = text.strip_prefix("@@ ") {
            (before, after) = sizes_of(sizes);
        } else if let Some(name) = text.strip_prefix("+++ ").filter(|n| *n != "/dev/null") {
            file.path = path_of(name);
        } else if let Some(name) = text.strip_prefix("--- ").filter(|n| *n != "/dev/null") {
            file.path = path_of(name);
        } else if let Some(name) = text.strip_prefix("rename to ") {
            file.path = unquoted(name);
        }
    }
    files
}

/// `-1,3 +1,4 @@ …`: a missing count is 1.
fn sizes_of(sizes: &str) -> (u64, u64) {
    let mut parts = sizes.split(' ').map(|part| match part.split_once(',') {
        Some((_, count)) => count.parse().unwrap_or(0),
        None => 1,
    });
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The path of `diff --git a/PATH b/PATH`, which is the same twice where no further line
/// names it (a changed mode, a binary file).
fn path_of_header(line: &str) -> String {
    let names = line.trim_start_matches("diff --git ");
    if let Some(end) = names.strip_prefix('"').and(names.rfind(" \"")) {
        return path_of(&names[end + 1..]);
    }
    let half = names.len() / 2;
    names.get(half + 1..).map(path_of).unwrap_or_default()
}

/// Without git's `a/` or `b/`, and without its quotes.
fn path_of(name: &str) -> String {
    // A name with a space in it is followed by a tab.
    let path = unquoted(name.trim_end_matches('\t'));
    let bare = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/"));
    bare.map(str::to_owned).unwrap_or(path)
}

/// A path as it is: git quotes unusual bytes as C does.
fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) else {
        return name.to_owned();
    };
    let (mut bytes, mut rest) = (Vec::new(), inner.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(first @ b'0'..=b'3') => {
                let digits = [
                    first,
                    rest.next().unwrap_or(b'0'),
                    rest.next().unwrap_or(b'0'),
                ];
                let value = digits
                    .iter()
                    .fold(0_u32, |v, d| v * 8 + u32::from(d - b'0'));
                bytes.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/test.sh b/test.sh\nindex 1..2 100644\n--- a/test.sh\n+++ b/test.sh\n@@ -1,3 +1,2 @@ check\n one\n--- a check\n-two\n+++ plus\ndiff --git a/old name.py b/new name.py\nsimilarity index 90%\nrename from old name.py\nrename to new name.py\n--- a/old name.py\t\n+++ b/new name.py\t\n@@ -2 +2 @@\n-a\n\\ No newline at end of file\n+b\ndiff --git \"a/t\\303\\244st.py\" \"b/t\\303\\244st.py\"\ndeleted file mode 100644\n--- \"a/t\\303\\244st.py\"\n+++ /dev/null\n@@ -1 +0,0 @@\n-assert\ndiff --git a/data.bin b/data.bin\nindex 1..2\nBinary files a/data.bin and b/data.bin differ\ndiff --git a/run b/run\nold mode 100644\nnew mode 100755\n";

    #[test]
    fn a_diff_is_told_apart_file_by_file_whatever_its_lines_look_like() {
        let files = by_file(DIFF);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            ["test.sh", "new name.py", "täst.py", "data.bin", "run"]
        );
        assert_eq!(files[0].removed, ["-- a check", "two"]);
        assert_eq!(files[0].added, ["++ plus"]);
        assert_eq!(files[1].removed, ["a"]);
        assert_eq!(files[1].added, ["b"]);
        assert_eq!(files[2].removed, ["assert"]);
        assert!(files[3].removed.is_empty() && files[4].added.is_empty());
        let whole: String = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(whole, DIFF);
    }
}
