//! Searching file contents.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::sinks::Lossy;
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder};
use workspace::Workspace;

use super::ToolResult;
use super::files::{Target, blocking};
use super::look::FILE_LIMIT;
use super::text::{self, RESULT_LIMIT};

/// The most matching lines shown.
const MATCH_LIMIT: usize = 200;

/// The longest line shown, in characters.
const LINE_LIMIT: usize = 300;

/// The longest a search may take; what was found by then is the answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The largest compiled expression, in bytes: 10 MiB, the crate's own default
/// for a program, set here so that it stays.
const REGEX_LIMIT: usize = 10 * 1024 * 1024;

pub(super) async fn search(
    workspace: &Workspace,
    pattern: String,
    path: &str,
    glob: Option<&str>,
) -> ToolResult {
    let target = match Target::find(workspace, path).await {
        Ok(target) => target,
        Err(result) => return result,
    };
    let matcher = RegexMatcherBuilder::new()
        .line_terminator(Some(b'\n'))
        .size_limit(REGEX_LIMIT)
        .build(&pattern);
    let matcher = match matcher {
        Ok(matcher) => matcher,
        Err(error) => return ToolResult::error(format!("the pattern cannot be used: {error}")),
    };
    let files = match Files::new(glob) {
        Ok(files) => files,
        Err(problem) => return ToolResult::error(problem),
    };
    let out_of_time = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let stop = out_of_time.0.clone();
    let timer = async {
        tokio::time::sleep(TIME_LIMIT).await;
        out_of_time.0.store(true, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        found = blocking(move || Hunt::new(&target, matcher, files, stop).run()) => found.told(&pattern),
        () = timer => unreachable!("the timer never ends"),
    }
}

/// Ends the search when nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Which files are searched.
struct Files(Option<(GlobMatcher, By)>);

/// What a glob is compared with.
enum By {
    Name,
    Path,
}

impl Files {
    fn new(glob: Option<&str>) -> Result<Self, String> {
        let Some(glob) = glob else {
            return Ok(Self(None));
        };
        let glob = glob.trim_start_matches("./");
        let by = if glob.contains('/') {
            By::Path
        } else {
            By::Name
        };
        let built = GlobBuilder::new(glob).literal_separator(true).build();
        let built = built.map_err(|error| format!("the glob cannot be used: {error}"))?;
        Ok(Self(Some((built.compile_matcher(), by))))
    }

    fn take(&self, path: &Path) -> bool {
        match &self.0 {
            None => true,
            Some((glob, By::Path)) => glob.is_match(path),
            Some((glob, By::Name)) => path.file_name().is_some_and(|name| glob.is_match(name)),
        }
    }
}

struct Hunt<'a> {
    target: &'a Target,
    matcher: RegexMatcher,
    files: Files,
    stop: Arc<AtomicBool>,
    searcher: Searcher,
    found: Found,
}

#[derive(Default)]
struct Found {
    text: String,
    lines: usize,
    files: usize,
    too_large: usize,
    chars: usize,
    out_of_time: bool,
    full: bool,
}

impl<'a> Hunt<'a> {
    fn new(target: &'a Target, matcher: RegexMatcher, files: Files, stop: Arc<AtomicBool>) -> Self {
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .binary_detection(BinaryDetection::quit(0))
            .build();
        Self {
            target,
            matcher,
            files,
            stop,
            searcher,
            found: Found::default(),
        }
    }

    fn run(mut self) -> Found {
        let walked = self.walk(self.target.walk());
        if !walked && self.target.path != self.target.root {
            self.walk(self.target.walk_ignored());
        }
        self.found
    }

    /// Whether there was anything to look at.
    fn walk(&mut self, walk: ignore::Walk) -> bool {
        let mut any = false;
        for entry in walk.flatten() {
            if !entry.path().starts_with(&self.target.path) {
                continue;
            }
            any = true;
            self.found.out_of_time |= self.stop.load(Ordering::Relaxed);
            if self.found.full || self.found.out_of_time {
                break;
            }
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if is_file && self.files.take(self.target.shown(entry.path())) {
                self.search_file(&entry);
            }
        }
        any
    }

    fn search_file(&mut self, entry: &ignore::DirEntry) {
        if entry.metadata().is_ok_and(|data| data.len() > FILE_LIMIT) {
            self.found.too_large += 1;
            return;
        }
        let shown = text::visible(&self.target.shown(entry.path()).display().to_string());
        let (found, stop) = (&mut self.found, &self.stop);
        let before = found.lines;
        let sink = Lossy(|number, line| {
            found.add(&shown, number, line);
            Ok(!found.full && !stop.load(Ordering::Relaxed))
        });
        // A file that vanished or cannot be read is no match.
        let _ = self.searcher.search_path(&self.matcher, entry.path(), sink);
        self.found.files += usize::from(self.found.lines > before);
    }
}

impl Found {
    fn add(&mut self, path: &str, number: u64, line: &str) {
        let line = text::cut(
            &text::visible(line.trim_end_matches(['\r', '\n'])),
            LINE_LIMIT,
        );
        self.chars += path.chars().count() + line.chars().count() + 10;
        if self.lines >= MATCH_LIMIT || self.chars > RESULT_LIMIT {
            self.full = true;
            return;
        }
        self.lines += 1;
        let _ = writeln!(self.text, "{path}:{number}: {line}");
    }

    fn told(mut self, pattern: &str) -> ToolResult {
        if self.lines == 0 {
            self.text = format!("No line matches {pattern}.\n");
        }
        if self.full {
            let _ = writeln!(
                self.text,
                "[there are more matches; use a narrower pattern, path or glob]"
            );
        }
        if self.out_of_time {
            let _ = writeln!(
                self.text,
                "[stopped after {} s; not everything was searched]",
                TIME_LIMIT.as_secs()
            );
        }
        if self.too_large > 0 {
            let _ = writeln!(
                self.text,
                "[{} files over 16 MiB were not searched]",
                self.too_large
            );
        }
        let summary = format!("{} lines in {} files", self.lines, self.files);
        ToolResult::ok(self.text, summary)
    }
}
