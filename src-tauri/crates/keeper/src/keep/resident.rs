//! What a keeper that waits keeps in memory.
//!
//! A keeper is the daemon's program once more. Starting it touches megabytes of that
//! file, among them every relocation, which waiting for a child never looks at again.
//!
//! `madvise(2)` is `unsafe` in every crate that offers it, hence this file.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;

/// Lets go of the pages of program files that are as they are on disk. They stay in the
/// system's cache, and those needed again are mapped again from there.
pub(super) fn give_back() {
    // Collected first: looking for them touches some.
    for pages in clean_pages().unwrap_or_default() {
        let start = pages.start as *mut libc::c_void;
        // SAFETY: MADV_DONTNEED loses what differs from the file. These mappings hold
        // private memory only where they were written to, the kernel has just said that
        // there is none (`Anonymous: 0 kB`), and none can come to be, since they are not
        // writable and nothing here calls mprotect(2) once main runs. A range that is not
        // mapped any more fails and changes nothing; nothing here unmaps program files.
        unsafe {
            libc::madvise(start, pages.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Mappings of files that are not writable and have no memory of their own.
fn clean_pages() -> io::Result<Vec<Range<usize>>> {
    let mut found = Vec::with_capacity(64);
    let mut current = None;
    let smaps = File::open("/proc/self/smaps")?;
    for line in BufReader::with_capacity(4096, smaps).lines() {
        let line = line?;
        if let Some(mapping) = heading(&line) {
            current = mapping;
        } else if line.starts_with("Anonymous:") {
            let none = line.split_whitespace().nth(1) == Some("0");
            found.extend(current.take().filter(|_| none));
        }
    }
    Ok(found)
}

/// `START-END PERMISSIONS OFFSET DEVICE INODE PATH`: the range, if it is a private and
/// unwritable mapping of a file; `None` if the line is no heading.
fn heading(line: &str) -> Option<Option<Range<usize>>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let unwritable = matches!(words.next()?, "r-xp" | "r--p");
    let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
    Some((unwritable && is_file).then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unwritable_files_are_let_go() {
        let text = "55d0c0a00000-55d0c0a02000 r-xp 00012000 fe:00 1234    /usr/bin/a b";
        assert_eq!(
            heading(text),
            Some(Some(0x55d0_c0a0_0000..0x55d0_c0a0_2000))
        );
        for other in ["rw-p", "r--s", "rwxp", "---p"] {
            assert_eq!(heading(&text.replace("r-xp", other)), Some(None));
        }
        let vdso = "7fff0000-7fff1000 r-xp 00000000 00:00 0    [vdso]";
        assert_eq!(heading(vdso), Some(None));
        let anonymous = "7f0000000000-7f0000001000 r--p 00000000 00:00 0 ";
        assert_eq!(heading(anonymous), Some(None));
        assert_eq!(heading("Anonymous:             0 kB"), None);
        assert_eq!(heading("VmFlags: rd ex mr mw me dw"), None);
    }

    #[test]
    fn this_program_goes_on_without_its_pages() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("there is /proc");
            let line = status.lines().find(|line| line.starts_with("RssFile:"));
            let kib = line.and_then(|line| line.split_whitespace().nth(1));
            kib.and_then(|kib| kib.parse::<u64>().ok())
                .expect("RssFile")
        };
        assert!(!clean_pages().expect("there is /proc").is_empty());
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} KiB before, {after} KiB after");
        // What is only read is still what it was.
        assert_eq!(heading("VmFlags: rd"), None);
    }
}
