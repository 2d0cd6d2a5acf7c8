//! A unified diff as git writes it, byte for byte: its files, and their hunks, each with a
//! name that says what it is and where.

use domain::HunkName;

/// What a diff says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch<'a> {
    /// Its path afterwards, or before, where it is gone.
    pub path: Vec<u8>,
    /// Its path before, where it was renamed.
    pub from: Option<Vec<u8>>,
    /// This part of the diff, as it is.
    pub text: &'a [u8],
    /// None for a binary file, or where nothing but the mode or the name changed.
    pub hunks: Vec<Hunk<'a>>,
}

/// Lines that changed, with those around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk<'a> {
    /// How many lines stand before it in the old file.
    skipped: usize,
    /// Its lines in order, each with its line end where it has one.
    pub lines: Vec<(Sign, &'a [u8])>,
}

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Before and after.
    Same,
    /// Before only.
    Removed,
    /// After only.
    Added,
}

/// The files of a diff as git writes it with `--no-color` and its usual prefixes.
pub fn by_file(diff: &[u8]) -> Vec<FilePatch<'_>> {
    let mut files: Vec<FilePatch<'_>> = Vec::new();
    // Lines of a hunk still to come, of before and of after: what they look like says nothing.
    let (mut before, mut after) = (0_usize, 0_usize);
    let (mut begin, mut end) = (0, 0);
    for line in diff.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let header = before == 0 && after == 0;
        if header && let Some(names) = text.strip_prefix(b"diff --git ") {
            begin = end;
            files.push(FilePatch {
                path: path_of_header(names),
                from: None,
                text: &[],
                hunks: Vec::new(),
            });
        }
        end += line.len();
        let Some(file) = files.last_mut() else {
            continue;
        };
        file.text = &diff[begin..end];
        let body = line.get(1..).unwrap_or_default();
        match (text.first(), file.hunks.last_mut()) {
            // "\ No newline at end of file" is about the line before it.
            (Some(b'\\'), Some(hunk)) => {
                if let Some((_, last)) = hunk.lines.last_mut() {
                    *last = last.strip_suffix(b"\n").unwrap_or(last);
                }
            }
            (sign, Some(hunk)) if !header => {
                let sign = match sign {
                    Some(b'-') => Sign::Removed,
                    Some(b'+') => Sign::Added,
                    _ => Sign::Same,
                };
                before = before.saturating_sub(usize::from(sign != Sign::Added));
                after = after.saturating_sub(usize::from(sign != Sign::Removed));
                hunk.lines.push((sign, body));
            }
            _ => {
                if let Some(sizes) = text.strip_prefix(b"@@ ") {
                    let [old, new] = ranges_of(sizes);
                    (before, after) = (old.1, new.1);
                    // Of no lines, it names the line they would follow.
                    let skipped = old.0.saturating_sub(usize::from(old.1 > 0));
                    let lines = Vec::new();
                    file.hunks.push(Hunk { skipped, lines });
                } else {
                    file.read_header(text);
                }
            }
        }
    }
    files
}

impl FilePatch<'_> {
    fn read_header(&mut self, line: &[u8]) {
        let named = |prefix: &[u8]| {
            let name = line.strip_prefix(prefix)?;
            (name != b"/dev/null").then_some(name)
        };
        if let Some(name) = named(b"+++ ").or_else(|| named(b"--- ")) {
            self.path = path_of(name);
        } else if let Some(name) = named(b"rename to ") {
            self.path = unquoted(name);
        } else if let Some(name) = named(b"rename from ") {
            self.from = Some(unquoted(name));
        }
    }

    /// What names one of its hunks.
    pub fn digest(&self, hunk: &Hunk<'_>) -> String {
        let mut digest = blake3::Hasher::new();
        digest.update(&self.path);
        digest.update(format!("\0{}\n", hunk.skipped).as_bytes());
        for (sign, line) in &hunk.lines {
            digest.update(match sign {
                Sign::Same => b" ",
                Sign::Removed => b"-",
                Sign::Added => b"+",
            });
            digest.update(line);
        }
        digest.finalize().to_hex().to_string()
    }
}

/// All hunks of a diff, by name, in its order.
pub fn hunk_names(files: &[FilePatch<'_>]) -> Vec<HunkName> {
    let named = files.iter().flat_map(|file| {
        let numbered = (1..).zip(&file.hunks);
        numbered.map(|(number, hunk)| HunkName {
            path: String::from_utf8_lossy(&file.path).into_owned(),
            number,
            digest: file.digest(hunk),
        })
    });
    named.collect()
}

/// The old contents with these hunks applied, which are in the file's order; `None` where
/// they are not hunks of these contents.
pub(crate) fn with_hunks<'a>(
    old: &[u8],
    hunks: impl Iterator<Item = &'a Hunk<'a>>,
) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut out, mut at) = (Vec::with_capacity(old.len()), 0);
    for hunk in hunks {
        out.extend(lines.get(at..hunk.skipped)?.concat());
        at = hunk.skipped;
        for (sign, line) in &hunk.lines {
            if *sign != Sign::Added {
                if lines.get(at) != Some(line) {
                    return None;
                }
                at += 1;
            }
            if *sign != Sign::Removed {
                out.extend_from_slice(line);
            }
        }
    }
    out.extend(lines.get(at..)?.concat());
    Some(out)
}

/// `-1,3 +1,4 @@ …`: first lines and counts; a missing count is 1.
fn ranges_of(sizes: &[u8]) -> [(usize, usize); 2] {
    let text = String::from_utf8_lossy(sizes);
    let mut parts = text.split(' ').map(|part| {
        let (first, count) = part.split_once(',').unwrap_or((part, "1"));
        let first = first.trim_start_matches(['-', '+']);
        (first.parse().unwrap_or(0), count.parse().unwrap_or(0))
    });
    [
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    ]
}

/// The path of `a/PATH b/PATH`, which is the same twice where no further line names it (a
/// changed mode, a binary file).
fn path_of_header(names: &[u8]) -> Vec<u8> {
    if names.ends_with(b"\"")
        && let Some(at) = names.windows(2).rposition(|two| two == b" \"")
    {
        return path_of(&names[at + 1..]);
    }
    let half = names.len() / 2;
    names.get(half + 1..).map(path_of).unwrap_or_default()
}

/// Without git's `a/` or `b/`, and without its quotes.
fn path_of(name: &[u8]) -> Vec<u8> {
    // A name with a space in it is followed by a tab.
    let path = unquoted(name.strip_suffix(b"\t").unwrap_or(name));
    let bare = path
        .strip_prefix(b"a/")
        .or_else(|| path.strip_prefix(b"b/"));
    bare.map(<[u8]>::to_vec).unwrap_or(path)
}

/// A path as it is: git quotes unusual bytes as C does.
fn unquoted(name: &[u8]) -> Vec<u8> {
    let Some(inner) = name.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")) else {
        return name.to_vec();
    };
    let (mut bytes, mut rest) = (Vec::new(), inner.iter().copied());
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        bytes.push(match escaped {
            None => byte,
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'v') => 11,
            Some(b'f') => 12,
            Some(b'r') => b'\r',
            Some(first @ b'0'..=b'3') => {
                let mut digit = || rest.next().unwrap_or(b'0').wrapping_sub(b'0') & 7;
                let (second, third) = (digit(), digit());
                (first - b'0') * 64 + second * 8 + third
            }
            Some(other) => other,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/test.sh b/test.sh\nindex 1..2 100644\n--- a/test.sh\n+++ b/test.sh\n@@ -1,3 +1,2 @@ check\n one\n--- a check\n-two\n+++ plus\ndiff --git a/old name.py b/new name.py\nsimilarity index 90%\nrename from old name.py\nrename to new name.py\n--- a/old name.py\t\n+++ b/new name.py\t\n@@ -2 +2 @@\n-a\n\\ No newline at end of file\n+b\ndiff --git \"a/t\\303\\244st.py\" \"b/t\\303\\244st.py\"\ndeleted file mode 100644\n--- \"a/t\\303\\244st.py\"\n+++ /dev/null\n@@ -1 +0,0 @@\n-assert\ndiff --git a/data.bin b/data.bin\nindex 1..2\nBinary files a/data.bin and b/data.bin differ\ndiff --git a/run b/run\nold mode 100644\nnew mode 100755\ndiff --git \"a/a\\tb\\\"\" \"b/a\\tb\\\"\"\nold mode 100644\nnew mode 100755\n";

    fn lines(hunk: &Hunk<'_>, wanted: Sign) -> Vec<String> {
        let of = hunk.lines.iter().filter(|(sign, _)| *sign == wanted);
        of.map(|(_, line)| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    #[test]
    fn a_diff_is_told_apart_file_by_file_whatever_its_lines_look_like() {
        let files = by_file(DIFF.as_bytes());
        let paths: Vec<_> = files
            .iter()
            .map(|file| String::from_utf8_lossy(&file.path).into_owned())
            .collect();
        assert_eq!(
            paths,
            [
                "test.sh",
                "new name.py",
                "täst.py",
                "data.bin",
                "run",
                "a\tb\""
            ]
        );
        assert_eq!(
            lines(&files[0].hunks[0], Sign::Removed),
            ["-- a check\n", "two\n"]
        );
        assert_eq!(lines(&files[0].hunks[0], Sign::Added), ["++ plus\n"]);
        assert_eq!(files[1].from.as_deref(), Some(&b"old name.py"[..]));
        assert_eq!(
            lines(&files[1].hunks[0], Sign::Removed),
            ["a"],
            "no line end"
        );
        assert_eq!(lines(&files[1].hunks[0], Sign::Added), ["b\n"]);
        assert_eq!(lines(&files[2].hunks[0], Sign::Removed), ["assert\n"]);
        assert!(files[3..].iter().all(|file| file.hunks.is_empty()));
        let whole: Vec<u8> = files.iter().flat_map(|file| file.text).copied().collect();
        assert_eq!(whole, DIFF.as_bytes());
    }

    #[test]
    fn chosen_hunks_are_applied_and_no_others() {
        let old = b"a\nb\nc\nd\ne";
        let diff = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+top\n@@ -2 +3 @@\n-b\n+B\n@@ -5 +6,2 @@\n-e\n\\ No newline at end of file\n+e\n+end\n";
        let files = by_file(diff);
        let hunks = &files[0].hunks;
        let with = |wanted: &[usize]| {
            let chosen = hunks.iter().enumerate().filter(|(n, _)| wanted.contains(n));
            let out = with_hunks(old, chosen.map(|(_, hunk)| hunk)).expect("they fit");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(with(&[]), "a\nb\nc\nd\ne");
        assert_eq!(with(&[0]), "top\na\nb\nc\nd\ne");
        assert_eq!(with(&[1]), "a\nB\nc\nd\ne");
        assert_eq!(with(&[2]), "a\nb\nc\nd\ne\nend\n");
        assert_eq!(with(&[0, 1, 2]), "top\na\nB\nc\nd\ne\nend\n");
        assert!(
            with_hunks(b"a\nx\n", hunks[1..2].iter()).is_none(),
            "others"
        );
    }

    #[test]
    fn a_hunk_is_named_by_what_it_says_and_where() {
        let names = |diff: &str| hunk_names(&by_file(diff.as_bytes()));
        let at = |path: &str, place: &str, line: &str| {
            let head = format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n");
            names(&format!("{head}@@ {place} @@\n-x\n+{line}\n"))
        };
        let one = at("f", "-4 +4", "y");
        assert_eq!((one[0].path.as_str(), one[0].number), ("f", 1));
        // What changed above it moves where it ends up, not what it is.
        assert_eq!(one, at("f", "-4 +9", "y"));
        let others = [
            at("g", "-4 +4", "y"),
            at("f", "-5 +4", "y"),
            at("f", "-4 +4", "z"),
        ];
        assert!(others.iter().all(|other| other[0].digest != one[0].digest));
    }
}
