//! Reading and listing.

use std::fmt::Write as _;

use workspace::Workspace;

use super::ToolResult;
use super::files::{Target, blocking};
use super::text::{self, RESULT_LIMIT};

/// The most of a file that is looked at, in bytes: 16 MiB.
pub(super) const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// The longest line shown, in characters.
const LINE_LIMIT: usize = 2000;

/// The most entries listed.
const ENTRY_LIMIT: usize = 500;

/// A file with a zero byte here is binary, as for git.
const BINARY_LOOK: usize = 8000;

pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(BINARY_LOOK)].contains(&0)
}

pub(super) async fn read(workspace: &Workspace, path: &str, offset: u64, limit: u64) -> ToolResult {
    let file = match workspace.read_file(path, FILE_LIMIT).await {
        Ok(file) => file,
        Err(error) => return ToolResult::error(error.to_string()),
    };
    if is_binary(&file.bytes) {
        let text = format!(
            "{path} is a binary file of {} bytes; it is not shown.",
            file.size
        );
        return ToolResult::ok(text, "binary file");
    }
    if file.bytes.is_empty() {
        return ToolResult::ok(format!("{path} is empty."), "empty file");
    }
    let contents = String::from_utf8_lossy(&file.bytes);
    let lossy = matches!(contents, std::borrow::Cow::Owned(_));
    let page = Page::of(&contents, offset, limit);
    if page.shown == 0 {
        return ToolResult::error(format!(
            "{path} has {} lines; there is no line {offset}",
            page.total
        ));
    }
    let mut text = page.text;
    let last = offset + page.shown - 1;
    if last < page.total {
        let _ = writeln!(
            text,
            "[lines {offset} to {last} of {}; go on with offset {}]",
            page.total,
            last + 1
        );
    }
    if file.is_cut() {
        let _ = writeln!(
            text,
            "[only the first {FILE_LIMIT} of {} bytes can be read this way]",
            file.size
        );
    }
    if lossy {
        text.push_str("[not valid UTF-8: what could not be read is shown as \u{FFFD}]\n");
    }
    if contents.contains("\r\n") {
        text.push_str("[lines end with CR LF]\n");
    }
    ToolResult::ok(text, format!("lines {offset} to {last} of {}", page.total))
}

/// Some lines of a file, with numbers.
struct Page {
    text: String,
    shown: u64,
    total: u64,
}

impl Page {
    fn of(contents: &str, offset: u64, limit: u64) -> Self {
        let (mut text, mut shown, mut total, mut chars) = (String::new(), 0, 0, 0);
        let mut full = false;
        for line in contents.lines() {
            total += 1;
            if total < offset || shown >= limit || full {
                continue;
            }
            let line = text::cut(line, LINE_LIMIT);
            let cost = line.chars().count() + 8;
            if shown > 0 && chars + cost > RESULT_LIMIT {
                full = true;
                continue;
            }
            chars += cost;
            shown += 1;
            let _ = writeln!(text, "{total:>6}\t{line}");
        }
        Self { text, shown, total }
    }
}

pub(super) async fn list(workspace: &Workspace, path: &str, depth: u64) -> ToolResult {
    let target = match Target::find(workspace, path).await {
        Ok(target) => target,
        Err(result) => return result,
    };
    let given = path.to_owned();
    blocking(move || list_target(&target, &given, depth)).await
}

fn list_target(target: &Target, given: &str, depth: u64) -> ToolResult {
    if !target.path.is_dir() {
        return ToolResult::error(format!("{given} is not a folder; use read"));
    }
    let mut note = "";
    let mut listing = Listing::of(target, target.walk(), depth);
    if listing.count == 0 && target.path != target.root {
        listing = Listing::of(target, target.walk_ignored(), depth);
        note = "[this folder is ignored by .gitignore]\n";
    }
    if listing.count == 0 {
        return ToolResult::ok(format!("{given} is empty."), "empty folder");
    }
    if listing.count > ENTRY_LIMIT {
        let left_out = listing.count - ENTRY_LIMIT;
        let _ = writeln!(
            listing.text,
            "[{left_out} more; list a folder below, or search]"
        );
    }
    ToolResult::ok(listing.text + note, format!("{} entries", listing.count))
}

struct Listing {
    text: String,
    count: usize,
}

impl Listing {
    fn of(target: &Target, walk: ignore::Walk, depth: u64) -> Self {
        let (mut text, mut count) = (String::new(), 0);
        for entry in walk.flatten() {
            let Ok(below) = entry.path().strip_prefix(&target.path) else {
                continue;
            };
            let level = below.components().count() as u64;
            if level == 0 || level > depth {
                continue;
            }
            count += 1;
            if count > ENTRY_LIMIT {
                continue;
            }
            let kind = entry.file_type();
            let mark = match kind {
                Some(kind) if kind.is_dir() => "/",
                Some(kind) if kind.is_symlink() => " (link)",
                _ => "",
            };
            let shown = target.shown(entry.path()).display().to_string();
            let _ = writeln!(text, "{}{mark}", text::visible(&shown).replace('\n', "␊"));
        }
        Self { text, count }
    }
}
