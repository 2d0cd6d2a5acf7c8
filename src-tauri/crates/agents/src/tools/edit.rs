//! Changing files: first what the file will be is known exactly, then it is made so.

use workspace::{PlannedWrite, Workspace, WriteError};

use super::look::{FILE_LIMIT, is_binary};
use super::{Places, Tool, ToolResult, text};

/// A change that is decided but not made.
#[derive(Clone, Debug)]
pub struct PlannedEdit {
    /// What the journal needs to find out, after a crash, whether it was made.
    pub write: PlannedWrite,
    /// The file's whole new contents.
    pub bytes: Vec<u8>,
    /// What the model is told when it is made.
    told: String,
}

/// Works out what a write or edit makes of its file. Changes nothing.
///
/// # Errors
/// With the result for the model, if it cannot be done.
pub async fn plan_edit(tool: &Tool, workspace: &Workspace) -> Result<PlannedEdit, ToolResult> {
    let (path, bytes, told) = match tool {
        Tool::Write { path, content } => {
            refuse_marker(content)?;
            let told = format!(
                "{path} now has {} lines, {} bytes.",
                content.lines().count(),
                content.len()
            );
            (path, content.clone().into_bytes(), told)
        }
        Tool::Edit {
            path,
            old_text,
            new_text,
            places,
        } => {
            refuse_marker(new_text)?;
            let before = read_text(workspace, path).await?;
            let replaced = Replacement {
                path,
                old: old_text,
                new: new_text,
                places: *places,
            }
            .apply(&before)?;
            (path, replaced.contents.into_bytes(), replaced.told)
        }
        other => {
            return Err(ToolResult::error(format!(
                "{} does not change files",
                other.name()
            )));
        }
    };
    match workspace.plan_write(path, &bytes).await {
        Ok(write) => Ok(PlannedEdit { write, bytes, told }),
        Err(error) => Err(ToolResult::error(error.to_string())),
    }
}

/// Makes a planned change, durably.
pub async fn perform(planned: PlannedEdit, workspace: &Workspace) -> ToolResult {
    let path = planned.write.path.display().to_string();
    match workspace.perform(&planned.write, &planned.bytes).await {
        Ok(()) => ToolResult::ok(planned.told, text::one_line(&format!("changed {path}"))),
        Err(WriteError::Changed(_)) => ToolResult::error(format!(
            "{path} was changed by somebody else in between; nothing was written. Read it again."
        )),
        Err(error) => ToolResult::error(error.to_string()),
    }
}

/// Text that was redacted on its way to the model must not come back: it would
/// replace the secret in the file by the marker.
fn refuse_marker(text: &str) -> Result<(), ToolResult> {
    if !secrets::contains_marker(text) {
        return Ok(());
    }
    let why = "The text holds the marker that Longhaul puts in place of secrets. Writing it would overwrite \
        the secret itself. Nothing was written; change the file with an edit that leaves that line alone.";
    Err(ToolResult::error(why))
}

async fn read_text(workspace: &Workspace, path: &str) -> Result<String, ToolResult> {
    let file = workspace
        .read_file(path, FILE_LIMIT)
        .await
        .map_err(|error| ToolResult::error(error.to_string()))?;
    if file.is_cut() {
        return Err(ToolResult::error(format!(
            "{path} has {} bytes, too many to edit this way",
            file.size
        )));
    }
    if is_binary(&file.bytes) {
        return Err(ToolResult::error(format!(
            "{path} is a binary file and cannot be edited as text"
        )));
    }
    let not_text = |_| {
        ToolResult::error(format!(
            "{path} is not valid UTF-8 and cannot be edited as text"
        ))
    };
    String::from_utf8(file.bytes).map_err(not_text)
}

struct Replacement<'a> {
    path: &'a str,
    old: &'a str,
    new: &'a str,
    places: Places,
}

#[derive(Debug)]
struct Replaced {
    contents: String,
    told: String,
}

impl Replacement<'_> {
    fn apply(&self, before: &str) -> Result<Replaced, ToolResult> {
        let refuse = |why: String| Err(ToolResult::error(why));
        if self.old.is_empty() {
            return refuse(
                "old_text is empty; use write to make a file, or name the text to replace"
                    .to_owned(),
            );
        }
        if self.old == self.new {
            return refuse("old_text and new_text are the same; nothing to do".to_owned());
        }
        let (old, new) = self.in_line_ends_of(before);
        let lines: Vec<usize> = before
            .match_indices(&old)
            .map(|(at, _)| line_of(before, at))
            .collect();
        match (lines.as_slice(), self.places) {
            ([], _) => refuse(self.not_found(before)),
            ([line], _) => {
                let told = format!("{}: replaced at line {line}.", self.path);
                Ok(Replaced {
                    contents: before.replacen(&old, &new, 1),
                    told,
                })
            }
            (lines, Places::All) => {
                let told = format!("{}: replaced {} matches.", self.path, lines.len());
                Ok(Replaced {
                    contents: before.replace(&old, &new),
                    told,
                })
            }
            (lines, Places::Only) => {
                let shown: Vec<String> = lines.iter().take(10).map(usize::to_string).collect();
                refuse(format!(
                    "old_text is in {} {} times (lines {}{}); add surrounding lines to make it unique, or set replace_all to true",
                    self.path,
                    lines.len(),
                    shown.join(", "),
                    if lines.len() > 10 { ", …" } else { "" },
                ))
            }
        }
    }

    /// Files whose lines all end with CR LF are shown to models without the CR:
    /// what they write is meant for such a file.
    fn in_line_ends_of(&self, before: &str) -> (String, String) {
        let all_crlf = before.contains("\r\n")
            && before.matches('\n').count() == before.matches("\r\n").count();
        if !all_crlf || self.old.contains('\r') || self.new.contains('\r') {
            return (self.old.to_owned(), self.new.to_owned());
        }
        (
            self.old.replace('\n', "\r\n"),
            self.new.replace('\n', "\r\n"),
        )
    }

    fn not_found(&self, before: &str) -> String {
        let nothing = format!("old_text is not in {}", self.path);
        if !self.new.is_empty() && before.contains(self.new) {
            return format!("{nothing}, but new_text is: was it edited already?");
        }
        match similar_line(before, self.old) {
            Some(line) => format!(
                "{nothing} exactly as given. Line {line} differs only in whitespace: read the file and copy the text without line numbers"
            ),
            None => format!("{nothing}; read the file again"),
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The first line from which on `old` matches but for whitespace.
fn similar_line(before: &str, old: &str) -> Option<usize> {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted: Vec<String> = old.trim().lines().map(squeeze).collect();
    let lines: Vec<String> = before.lines().map(squeeze).collect();
    if wanted.is_empty() || wanted.iter().all(String::is_empty) {
        return None;
    }
    lines
        .windows(wanted.len())
        .position(|window| window == wanted)
        .map(|index| index + 1)
}
