//! Carrying a planned apply out on the user's files, and taking it back.
//!
//! Each new content is first written whole beside its path, then swapped with
//! what is there in one move; what was there is kept beside until all is done.
//! So at any moment a path has its before- or its after-image, a full disk is
//! met before anything is changed, and taking back needs no space. A path that
//! turns out to be neither was changed by the user meanwhile: it stays as it
//! is, and all others are taken back.
//!
//! Beside a path: its after-image means "not swapped yet", its before-image
//! means "swapped", anything else is what the user wrote in the very moment of
//! the swap, and goes back.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::carry_plan::{Plan, Step, Turn, staging};
use crate::sides::{Name, ancestors};
use crate::staging::TEMP_PREFIX;
use crate::user_tree::{Image, Seen, UserTree, split};

/// Why it was not carried out.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user changed these paths since it was planned.
    Changed(Name),
    /// The system refused.
    Io(Name, io::Error),
}

pub(crate) struct Carry<'a> {
    plan: &'a Plan,
    tree: UserTree,
    staged: PathBuf,
}

fn refused(path: &[u8]) -> impl FnOnce(Errno) -> Stop {
    let path = path.to_vec();
    move |errno| Stop::Io(path, errno.into())
}

fn io_at(path: &[u8]) -> impl FnOnce(io::Error) -> Stop {
    let path = path.to_vec();
    move |error| Stop::Io(path, error)
}

impl<'a> Carry<'a> {
    pub(crate) fn open(plan: &'a Plan, run_dir: &Path) -> io::Result<Carry<'a>> {
        Ok(Carry {
            plan,
            tree: UserTree::open(&plan.root)?,
            staged: staging(run_dir),
        })
    }

    /// Brings every path to its after-image. Done again after a crash, it goes on.
    pub(crate) fn forward(&self) -> Result<(), Stop> {
        let writes = || self.turn(Turn::Write);
        for step in writes().filter(|step| !self.must_wait(step)) {
            self.fill(step)?;
        }
        faults::crash_point("workspace.apply_filled");
        for step in self.turn(Turn::MakeWay) {
            self.switch(step)?;
        }
        for step in writes().filter(|step| self.must_wait(step)) {
            self.fill(step)?;
        }
        for step in writes().chain(self.turn(Turn::Remove)) {
            self.switch(step)?;
            faults::crash_point("workspace.apply_switched");
        }
        self.sync().map_err(|(path, errno)| refused(&path)(errno))
    }

    /// Brings every path back that has its after-image from here. Says which
    /// could not be, and why, and tries all others.
    pub(crate) fn back(&self) -> Result<(), Stop> {
        let mut first = Ok(());
        for turn in [Turn::Remove, Turn::Write, Turn::MakeWay] {
            for step in self.turn(turn) {
                let done = self.take_back(step);
                faults::crash_point("workspace.apply_taken_back");
                first = first.and(done);
            }
            if turn == Turn::Write {
                for folder in self.plan.made.iter().rev() {
                    self.tree.prune(folder);
                }
            }
        }
        first?;
        self.sync().map_err(|(path, errno)| refused(&path)(errno))
    }

    /// Removes what was kept beside the paths, and folders that got empty.
    pub(crate) fn clean(&self) {
        for step in &self.plan.steps {
            let kept = beside(step);
            let _ = self.tree.unlink(&filling(step));
            if self
                .image(&kept)
                .is_ok_and(|there| self.is_ours(step, there.as_ref()))
            {
                let _ = self.tree.unlink(&kept);
            }
            if step.after.is_none() {
                self.tree.prune(split(&step.path).0);
            }
            faults::crash_point("workspace.apply_cleaned");
        }
    }

    fn turn(&self, turn: Turn) -> impl Iterator<Item = &'a Step> {
        self.plan.steps.iter().filter(move |step| step.turn == turn)
    }

    /// Whether its folder can be made only when something made way.
    fn must_wait(&self, step: &Step) -> bool {
        ancestors(&step.path).any(|above| self.turn(Turn::MakeWay).any(|other| other.path == above))
    }

    fn image(&self, name: &[u8]) -> Result<Option<Image>, Stop> {
        match self.tree.image(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map_err(io_at(name)),
        }
    }

    fn is_ours(&self, step: &Step, there: Option<&Image>) -> bool {
        there.is_some() && (there == step.before.as_ref() || there == step.after.as_ref())
    }

    fn changed(step: &Step) -> Stop {
        Stop::Changed(step.path.clone())
    }

    fn fill(&self, step: &Step) -> Result<(), Stop> {
        let there = self.image(&step.path)?;
        if there == step.after || self.image(&beside(step))? == step.after {
            return Ok(());
        }
        if there != step.before {
            return Err(Self::changed(step));
        }
        self.put_beside(step, Which::After)?;
        faults::crash_point("workspace.apply_file_filled");
        Ok(())
    }

    /// Puts an image beside its path, whole: never under its final name before
    /// it is flushed.
    fn put_beside(&self, step: &Step, which: Which) -> Result<(), Stop> {
        let (image, letter) = match which {
            Which::After => (&step.after, 'a'),
            Which::Before => (&step.before, 'b'),
        };
        let Some(image) = image else { return Ok(()) };
        let (temp, kept) = (filling(step), beside(step));
        self.tree
            .make_folder(&step.aside)
            .map_err(refused(&step.path))?;
        self.tree.unlink(&temp).map_err(refused(&step.path))?;
        let contents = self.staged.join(format!("{letter}{}", step.n));
        let filled = self.tree.fill(&temp, image.kind, &contents, step.bits);
        if let Err(error) = filled {
            let _ = self.tree.unlink(&temp);
            return Err(Stop::Io(step.path.clone(), error));
        }
        self.tree
            .move_over(&temp, &kept)
            .map_err(refused(&step.path))
    }

    fn switch(&self, step: &Step) -> Result<(), Stop> {
        match (&step.before, &step.after) {
            (Some(_), Some(_)) => self.replace(step),
            (None, Some(_)) => self.add(step),
            (_, None) => self.remove(step),
        }
    }

    fn replace(&self, step: &Step) -> Result<(), Stop> {
        let (there, kept) = (self.image(&step.path)?, self.image(&beside(step))?);
        if there == step.after {
            return match kept {
                Some(kept) if !self.is_ours(step, Some(&kept)) => self.give_back(step),
                _ => Ok(()),
            };
        }
        if there != step.before || kept != step.after {
            return Err(Self::changed(step));
        }
        match self.tree.exchange(&beside(step), &step.path) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.replace_plainly(step)?,
            done => done.map_err(refused(&step.path))?,
        }
        faults::crash_point("workspace.apply_exchanged");
        if self.image(&beside(step))? == step.before {
            return Ok(());
        }
        self.give_back(step)
    }

    /// What the user wrote while the swap went on goes back to its place.
    fn give_back(&self, step: &Step) -> Result<(), Stop> {
        self.tree
            .exchange(&beside(step), &step.path)
            .map_err(refused(&step.path))?;
        Err(Self::changed(step))
    }

    /// On a file system that cannot swap.
    fn replace_plainly(&self, step: &Step) -> Result<(), Stop> {
        self.tree
            .move_over(&beside(step), &step.path)
            .map_err(refused(&step.path))?;
        self.put_beside(step, Which::Before)
    }

    fn add(&self, step: &Step) -> Result<(), Stop> {
        let see = || self.tree.look(&step.path).map_err(refused(&step.path));
        if see()? == Seen::Folder {
            // All that was in it made way.
            let removed = self.tree.remove_empty(&step.path);
            removed.map_err(|_| Self::changed(step))?;
        }
        match see()? {
            Seen::Absent => {}
            _ if self.image(&step.path)? == step.after => return Ok(()),
            _ => return Err(Self::changed(step)),
        }
        match self.tree.move_new(&beside(step), &step.path) {
            Err(Errno::EXIST | Errno::NOENT) => Err(Self::changed(step)),
            done => done.map_err(refused(&step.path)),
        }
    }

    fn remove(&self, step: &Step) -> Result<(), Stop> {
        let (there, kept) = (self.image(&step.path)?, self.image(&beside(step))?);
        match there {
            None => {
                return match kept {
                    Some(kept) if Some(&kept) != step.before.as_ref() => self.put_back(step),
                    // A folder took its place since.
                    _ => Ok(()),
                };
            }
            there if there != step.before => return Err(Self::changed(step)),
            _ => {}
        }
        if kept.is_some() {
            self.tree
                .unlink(&beside(step))
                .map_err(refused(&step.path))?;
        }
        let moved = self.tree.move_new(&step.path, &beside(step));
        moved.map_err(refused(&step.path))?;
        faults::crash_point("workspace.apply_removed");
        if self.image(&beside(step))? == step.before {
            return Ok(());
        }
        self.put_back(step)
    }

    fn put_back(&self, step: &Step) -> Result<(), Stop> {
        self.tree
            .move_new(&beside(step), &step.path)
            .map_err(refused(&step.path))?;
        Err(Self::changed(step))
    }

    fn take_back(&self, step: &Step) -> Result<(), Stop> {
        let _ = self.tree.unlink(&filling(step));
        let (there, kept) = (self.image(&step.path)?, self.image(&beside(step))?);
        let at = || refused(&step.path);
        let swapped = there == step.after && kept == step.before;
        match (&step.before, &step.after) {
            (Some(_), Some(_)) if swapped => self.swap_back(step)?,
            (None, Some(_)) if swapped => {
                self.tree
                    .move_new(&step.path, &beside(step))
                    .map_err(at())?;
                if self.image(&beside(step))? != step.after {
                    self.tree
                        .move_new(&beside(step), &step.path)
                        .map_err(at())?;
                    return Ok(());
                }
            }
            (Some(_), None) if swapped => {
                self.tree.make_folder(split(&step.path).0).map_err(at())?;
                // A folder of the user's may have taken the place: then it stays.
                match self.tree.move_new(&beside(step), &step.path) {
                    Err(Errno::EXIST) => {}
                    done => done.map_err(at())?,
                }
            }
            _ => {}
        }
        let left = self.image(&beside(step))?;
        if self.is_ours(step, left.as_ref()) {
            self.tree.unlink(&beside(step)).map_err(at())?;
        }
        Ok(())
    }

    fn swap_back(&self, step: &Step) -> Result<(), Stop> {
        let (kept, path) = (beside(step), &step.path);
        match self.tree.exchange(&kept, path) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return self.tree.move_over(&kept, path).map_err(refused(path));
            }
            done => done.map_err(refused(path))?,
        }
        if self.image(&kept)? != step.after {
            // Written to in this very moment: it is the user's now.
            self.tree.exchange(&kept, path).map_err(refused(path))?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), (Name, Errno)> {
        let steps = self.plan.steps.iter();
        let folders: BTreeSet<&[u8]> = steps
            .flat_map(|step| [split(&step.path).0, &step.aside])
            .collect();
        for folder in folders {
            self.tree
                .sync(folder)
                .map_err(|errno| (folder.to_vec(), errno))?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Before,
    After,
}

/// Where an image waits or is kept: the same for each try.
fn beside(step: &Step) -> Name {
    let digest = blake3::hash(&step.path).to_hex();
    let own = format!("{TEMP_PREFIX}{}", &digest[..16]);
    match step.aside.as_slice() {
        b"" => own.into_bytes(),
        folder => [folder, b"/", own.as_bytes()].concat(),
    }
}

/// Where it is written.
fn filling(step: &Step) -> Name {
    [&beside(step)[..], b"n"].concat()
}
