//! Rules that were read stay read as long as their files are as they were. Whether they are is
//! looked up for each call that is decided about, and a look that leaves a doubt reads them again:
//! what is in force is always what stands in the files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Preset;
use tokio::time::Instant;

use crate::rule_files::InForce;

/// A file that was changed within this time of being read may be changed again without looking
/// any different: some file systems count in steps of two seconds.
const SETTLES: Duration = Duration::from_secs(5);

/// Most presets and projects kept at a time.
const KEPT: usize = 64;

/// How a file looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Absent,
    /// Device, file, length, and when it was last changed: a time nobody can set.
    #[cfg(unix)]
    File(u64, u64, u64, i64, i64),
    /// It cannot be told from how it was.
    Doubtful,
}

impl Look {
    fn at(file: &Path) -> Self {
        match std::fs::metadata(file) {
            #[cfg(unix)]
            Ok(about) => {
                use std::os::unix::fs::MetadataExt as _;
                let (time, nano) = (about.ctime(), about.ctime_nsec());
                Self::File(about.dev(), about.ino(), about.len(), time, nano)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::Absent,
            _ => Self::Doubtful,
        }
    }
}

struct Held {
    looks: [Look; 2],
    /// When this was first read; what looks the same a while later is the same.
    since: Instant,
    settled: bool,
    rules: Arc<InForce>,
}

/// What was read, by preset and project.
pub(crate) struct RuleCache {
    all: Mutex<HashMap<(Preset, PathBuf), Held>>,
    settles: Duration,
}

impl Default for RuleCache {
    fn default() -> Self {
        Self::settling(SETTLES)
    }
}

impl RuleCache {
    fn settling(settles: Duration) -> Self {
        Self {
            all: Mutex::default(),
            settles,
        }
    }

    /// The rules in these two files as they are now: read with `read`, unless it is certain that
    /// they are as they were. Blocks.
    pub(crate) fn get(
        &self,
        (preset, project): (Preset, &Path),
        files: [&Path; 2],
        read: impl FnOnce() -> InForce,
    ) -> Arc<InForce> {
        let key = (preset, project.to_owned());
        let looks = files.map(Look::at);
        let known = !looks.contains(&Look::Doubtful);
        let (mut since, mut settled) = (Instant::now(), false);
        if let Some(held) = self.lock().get(&key)
            && known
            && held.looks == looks
        {
            if held.settled {
                return held.rules.clone();
            }
            // Read once more, a while after it began to look so: from then on a change shows.
            (since, settled) = (held.since, held.since.elapsed() > self.settles);
        }
        let rules = Arc::new(read());
        let mut all = self.lock();
        // Changed while it was read: the next look reads again.
        if !known || files.map(Look::at) != looks {
            all.remove(&key);
            return rules;
        }
        if all.len() >= KEPT && !all.contains_key(&key) {
            all.clear();
        }
        let held = Held {
            looks,
            since,
            settled,
            rules: rules.clone(),
        };
        all.insert(key, held);
        rules
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Preset, PathBuf), Held>> {
        let all = self.all.lock();
        all.expect("no code panics while holding what was read")
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;

    struct Files {
        folder: tempfile::TempDir,
        cache: RuleCache,
        reads: Cell<u32>,
    }

    impl Files {
        fn settling(settles: Duration) -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                cache: RuleCache::settling(settles),
                reads: Cell::new(0),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// The ids of the user's rules in force, and how often files were read until now.
        fn get(&self) -> (Vec<String>, u32) {
            let project = self.path("p");
            let (users, own) = (
                self.path("policy.toml"),
                project.join(".longhaul/policy.toml"),
            );
            let read = || {
                self.reads.set(self.reads.get() + 1);
                crate::rule_files::in_force(Preset::Balanced, self.folder.path(), &project)
            };
            let rules = self
                .cache
                .get((Preset::Balanced, &project), [&users, &own], read);
            let layers = rules.policy.layers().iter();
            let own = layers.filter(|layer| layer.source == policy::Source::User);
            let ids = own
                .flat_map(|layer| &layer.rules)
                .map(|rule| rule.id.clone());
            (ids.collect(), self.reads.get())
        }

        fn ids(&self) -> Vec<String> {
            self.get().0
        }

        /// Waits until what is written now would carry a later time, and what was read before
        /// is believed.
        fn settle(&self) {
            let time = |name: &str| match Look::at(&self.path(name)) {
                Look::File(_, _, _, seconds, nano) => Some((seconds, nano)),
                _ => None,
            };
            while time("probe") <= time("policy.toml") {
                fs::write(self.path("probe"), "").unwrap();
            }
            self.get();
        }

        fn write(&self, name: &str) {
            let text =
                format!("[[rule]]\nname = \"{name}\"\noutcome = \"deny\"\ncommands = [\"x\"]\n");
            fs::write(self.path("policy.toml"), text).unwrap();
        }
    }

    #[test]
    fn files_are_read_once_a_change() {
        let files = Files::settling(Duration::ZERO);
        files.write("one");
        assert_eq!(files.get(), (vec!["one".to_owned()], 1));
        assert_eq!(files.get().1, 2, "once more when it has settled");
        for _ in 0..100 {
            assert_eq!(files.get(), (vec!["one".to_owned()], 2));
        }
        files.settle();
        files.write("two");
        assert_eq!(files.get(), (vec!["two".to_owned()], 3));
    }

    #[test]
    fn no_change_is_missed_however_it_is_made() {
        let files = Files::settling(Duration::ZERO);
        files.write("aaa");
        files.get();
        files.settle();
        // As long, in place, and dated back.
        let before = fs::metadata(files.path("policy.toml")).unwrap();
        files.write("bbb");
        let file = fs::File::options()
            .write(true)
            .open(files.path("policy.toml"))
            .unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        drop(file);
        assert_eq!(files.ids(), ["bbb"]);
        files.settle();
        // Another file in its place, and none.
        files.write("ccc");
        fs::rename(files.path("policy.toml"), files.path("other")).unwrap();
        assert!(files.ids().is_empty());
        fs::rename(files.path("other"), files.path("policy.toml")).unwrap();
        assert_eq!(files.ids(), ["ccc"]);
        files.settle();
        // Through a link, whose own times stay.
        let (link, file) = (files.path("policy.toml"), files.path("elsewhere.toml"));
        fs::rename(&link, &file).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(files.ids(), ["ccc"]);
        files.settle();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("ccc", "ddd")).unwrap();
        assert_eq!(files.ids(), ["ddd"]);
    }

    #[test]
    fn a_change_within_one_tick_of_the_disk_is_not_missed() {
        let files = Files::settling(SETTLES);
        for n in 0..200 {
            let name = format!("c{n:03}");
            files.write(&name);
            assert_eq!(files.ids(), [name]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_in_force_as_such_until_it_is_mended() {
        let files = Files::settling(Duration::ZERO);
        fs::write(files.path("policy.toml"), "[[rule").unwrap();
        assert_eq!(
            files.ids().len(),
            1,
            "it stands for one that asks about all"
        );
        files.settle();
        files.write("mended");
        assert_eq!(files.ids(), ["mended"]);
    }
}
