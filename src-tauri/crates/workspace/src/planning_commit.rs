//! Planning a commit on the user's branch: merged with what is committed there,
//! then with what the user has on disk, where nothing of theirs may be lost.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::apply::{Apply, ApplyError, Planned, shown};
use crate::carry_plan::{CommitStep, IndexStep, staging};
use crate::git::{Call, first_line, zero_separated};
use crate::landing::{ApplyBranch, Landing};
use crate::merging::{Changes, ConflictKind, Decision, decide};
use crate::part::on_top_of_earlier;
use crate::planning::{Item, begin_with_record, taken_back};
use crate::settling::{noted, outcomes, settle};
use crate::sides::{Kind, Listing, Name, Ours, Side, Touched, parse_raw_diff};
use crate::snapshot::dated;
use crate::texts::Texts;
use crate::user_commit::{Staged, UsersBranch, await_users_git, index_info, staged, users_branch};
use crate::user_files::{OnDisk, merge_all, record_copies};
use crate::user_tree::Seen;
use crate::workspace::Workspace;

/// Settings of the user's repository that change what a file looks like on disk.
const ON_DISK: [&str; 5] = [
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
];

struct Committing<'a> {
    workspace: &'a Workspace,
    texts: Texts<'a>,
    branch: UsersBranch,
    settings: Vec<String>,
    /// A git folder with the user's attributes, and no filter or hook.
    plain: PathBuf,
}

impl Workspace {
    pub(crate) async fn plan_commit(
        &self,
        what: &Apply<'_>,
        scratch: &Path,
    ) -> Result<Planned, ApplyError> {
        let inner = self.inner();
        let base = self
            .base_commit()
            .ok_or(ApplyError::NotGit(inner.marker.mode))?;
        self.users_top(base).await?;
        let branch = users_branch(&inner.git, self.project()).await?;
        await_users_git(&branch.repo.git_dir).await?;
        let texts = Texts {
            git: &inner.git,
            store: &inner.store,
            alternates: Some(branch.repo.common_dir.join("objects")),
            scratch,
        };
        let settings = settings(&texts, &branch.repo.top).await?;
        let plain = scratch.join("users.git");
        let committing = Committing {
            workspace: self,
            texts,
            branch,
            settings,
            plain,
        };
        committing.make_plain(&inner.marker.object_format).await?;
        committing.plan(what, base).await
    }
}

/// The user's settings, as far as the repository itself has them.
async fn settings(texts: &Texts<'_>, top: &Path) -> Result<Vec<String>, ApplyError> {
    let mut all = vec!["core.safecrlf=false".to_owned()];
    for name in ON_DISK {
        let ask = Call::new(top, "config").args(["--local", "--get", name]);
        let answer = texts.git.ask(ask).await?;
        if answer.code == 0 {
            all.push(format!("{name}={}", first_line(&answer.stdout)));
        }
    }
    Ok(all)
}

impl Committing<'_> {
    async fn make_plain(&self, format: &str) -> Result<(), ApplyError> {
        let init = Call::new(self.texts.scratch, "init")
            .args(["--quiet", "--bare", "--template="])
            .arg(format!("--object-format={format}"))
            .arg(&self.plain);
        self.texts.git.run(init).await?;
        let info = self.plain.join("info");
        let users = self.branch.repo.common_dir.join("info/attributes");
        let copied = std::fs::create_dir_all(&info).and_then(|()| {
            match std::fs::copy(&users, info.join("attributes")) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        });
        copied.map_err(|e| ApplyError::io(&users, e))
    }

    /// A call that converts line ends as the user's git would.
    fn converting(&self, work_tree: &Path, index: &Path, command: &'static str) -> Call {
        self.texts
            .call(work_tree, command)
            .env("GIT_DIR", &self.plain)
            .env("GIT_OBJECT_DIRECTORY", self.texts.store.dir.join("objects"))
            .env("GIT_WORK_TREE", work_tree)
            .env("GIT_INDEX_FILE", index)
            .config(&self.settings)
    }

    async fn plan(&self, what: &Apply<'_>, base: &str) -> Result<Planned, ApplyError> {
        let (workspace, texts) = (self.workspace, &self.texts);
        let (repo, head) = (&self.branch.repo, &self.branch.head);
        let list = texts
            .call(&texts.store.dir, "ls-tree")
            .args(["-r", "-z", head]);
        let committed = Listing::parse(&texts.git.run(list).await?);
        let (mut touched, left_out) = self.touched(what, base).await?;
        workspace.refuse_special(repo, &touched).await?;
        let look = |path: &[u8]| committed.look(path);
        let below = |path: &[u8]| committed.below(path);
        let begun = touched.clone();
        begin_with_record(&mut touched, &workspace.record()?, &look);
        on_top_of_earlier(texts, &mut touched, &begun, what.in_part).await?;
        let mut items = merge_all(texts, touched.clone(), &look, &below).await?;
        let disk = workspace.on_disk(&repo.top, &touched).await?;
        // What is kept for the user must be in the run's store itself.
        let own = texts.without_alternates();
        let copies = record_copies(&own, &staging(&workspace.inner().run_dir), &disk).await?;
        let on_disk = self.normalized(&disk).await?;
        let index = self.staged_at(&touched).await?;
        self.meet_disk(&mut items, &disk, &on_disk, &index);
        let items = match settle(items, what, &left_out) {
            Ok(items) => items,
            Err(conflicts) => return Ok(Planned::Conflicts(conflicts)),
        };
        let commit = self.commit(what, &items).await?;
        let kinds = self.write_out(&items).await?;
        let mut plan = workspace
            .steps(what, &repo.top, &disk, &items, kinds)
            .await?;
        // What the disk has already needs no step, and has one only by its staged copy.
        plan.steps.retain(|step| {
            let item = items.iter().find(|item| item.touched.path == step.path);
            item.is_some_and(|item| on_disk.get(&step.path) != item.after.as_ref())
        });
        plan.done.target = self
            .branch
            .name
            .trim_start_matches("refs/heads/")
            .to_owned();
        plan.done.kept = workspace.keep(texts, what.key, &plan, &copies).await?;
        plan.done.paths = outcomes(&items, left_out);
        plan.noted = noted(&items);
        if let Some(new) = commit {
            plan.done.commit = Some(new.clone());
            plan.commit = Some(CommitStep {
                top: repo.top.clone(),
                git_dir: repo.git_dir.clone(),
                branch: self.branch.name.clone(),
                old: head.clone(),
                new,
                index: index_steps(&items),
            });
        }
        Ok(Planned::Ready(Box::new(plan)))
    }

    /// What the run changed, as git would commit it.
    async fn touched(
        &self,
        what: &Apply<'_>,
        base: &str,
    ) -> Result<(Vec<Touched>, Vec<Name>), ApplyError> {
        let (workspace, texts) = (self.workspace, &self.texts);
        let landing = Landing {
            workspace,
            git: texts.git,
            what: ApplyBranch {
                snapshot: what.snapshot,
                branch: "",
                message: what.message,
                at: what.at,
                paths: &[],
            },
            base: base.to_owned(),
            top: self.branch.repo.top.clone(),
        };
        let (tree, changes) = landing.tree(texts.scratch).await?;
        let call = texts.call(&texts.store.dir, "diff-tree");
        let call = call.args([
            "-r",
            "-z",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            base,
            &tree,
        ]);
        let mut all = parse_raw_diff(&texts.git.run(call).await?);
        let whole = texts
            .call(&texts.store.dir, "ls-tree")
            .args(["-r", "-z", &tree]);
        let whole = Listing::parse(&texts.git.run(whole).await?);
        let theirs = |path: &[u8]| whole.look(path).side().cloned();
        let back = taken_back(&workspace.record()?, &all, &theirs);
        all.extend(back);
        let submodules: HashSet<Name> = whole.submodules().cloned().collect();
        // Only for their paths to be known; they are in no tree.
        all.extend(changes.left_out.iter().map(|path| Touched {
            path: path.as_os_str().as_bytes().to_vec(),
            base: None,
            theirs: None,
        }));
        workspace.select(what, all, &submodules)
    }

    /// The user's files at the touched paths, as git would commit them.
    async fn normalized(&self, disk: &OnDisk) -> Result<HashMap<Name, Side>, ApplyError> {
        let paths: Vec<u8> = disk
            .copies
            .keys()
            .flat_map(|path| [&path[..], b"\0"].concat())
            .collect();
        if paths.is_empty() {
            return Ok(HashMap::new());
        }
        let (top, index) = (&self.branch.repo.top, self.texts.scratch.join("disk.index"));
        let call = |command| self.converting(top, &index, command);
        self.texts
            .git
            .run(call("read-tree").arg(&self.branch.head))
            .await?;
        let add = call("update-index").args(["--add", "--replace", "-z", "--stdin"]);
        self.texts.git.run(add.input(paths)).await?;
        let out = self
            .texts
            .git
            .run(call("ls-files").args(["--stage", "-z"]))
            .await?;
        let sides = zero_separated(&out).filter_map(|entry| {
            let tab = entry.iter().position(|b| *b == b'\t')?;
            let path = entry[tab + 1..].to_vec();
            let mut facts = entry[..tab].split(|b| *b == b' ');
            let (mode, oid) = (facts.next()?, facts.next()?);
            let kind = Kind::of_mode(mode)?;
            let oid = String::from_utf8_lossy(oid).into_owned();
            disk.copies
                .contains_key(&path)
                .then_some((path, Side { kind, oid }))
        });
        Ok(sides.collect())
    }

    async fn staged_at(&self, touched: &[Touched]) -> Result<HashMap<Name, Staged>, ApplyError> {
        let repo = &self.branch.repo;
        let index = repo.git_dir.join("index");
        staged(
            self.texts.git,
            &repo.top,
            &index,
            touched.iter().map(|t| &t.path),
        )
        .await
    }

    /// Marks the paths at which the user has something not committed.
    fn meet_disk(
        &self,
        items: &mut [Item],
        disk: &OnDisk,
        on_disk: &HashMap<Name, Side>,
        index: &HashMap<Name, Staged>,
    ) {
        let look = |path: &[u8]| match disk.seen.get(path) {
            Some(Seen::File(_)) => on_disk
                .get(path)
                .cloned()
                .map_or(Ours::Special, Ours::There),
            Some(Seen::Folder) => Ours::Folder,
            Some(Seen::Below(above)) => Ours::Below(above.clone()),
            Some(Seen::Special) => Ours::Special,
            None | Some(Seen::Absent) => Ours::Absent,
        };
        let below = |path: &[u8]| disk.tree.below(path).unwrap_or_default();
        let moves: Vec<Touched> = items
            .iter()
            .map(|item| Touched {
                path: item.touched.path.clone(),
                base: item.ours.side().cloned(),
                theirs: item.after.clone(),
            })
            .collect();
        let changes = Changes::new(&moves);
        for (item, moved) in items.iter_mut().zip(&moves) {
            let has = look(&moved.path);
            let entry = index.get(&moved.path);
            item.disk = Some(format!("{has:?} {entry:?}"));
            if moved.base == moved.theirs && item.conflict.is_none() {
                continue;
            }
            item.entry = match entry {
                None | Some(Staged::Nothing) => None,
                Some(Staged::File(side)) => Some(side.clone()),
                Some(Staged::Other | Staged::Sparse) => {
                    item.conflicts(ConflictKind::InTheWay);
                    continue;
                }
            };
            let free = item.entry == moved.base || item.entry == moved.theirs;
            match decide(moved, &changes, &look, &below) {
                Decision::Conflict(ConflictKind::InTheWay) => {
                    item.conflicts(ConflictKind::InTheWay);
                }
                Decision::Take(_) | Decision::Same if free => {}
                _ => item.conflicts(ConflictKind::Uncommitted),
            }
        }
    }

    /// The commit, in the user's store too; `None` if it would change nothing.
    async fn commit(&self, what: &Apply<'_>, items: &[Item]) -> Result<Option<String>, ApplyError> {
        let (texts, head) = (&self.texts, &self.branch.head);
        let steps = index_steps(items);
        if steps.is_empty() {
            return Ok(None);
        }
        let index = texts.scratch.join("commit.index");
        let call = |command| {
            texts
                .call(&texts.store.dir, command)
                .env("GIT_INDEX_FILE", &index)
        };
        texts.git.run(call("read-tree").arg(head)).await?;
        let entries = |gone: bool| -> Vec<u8> {
            let wanted = steps.iter().filter(|step| step.after.is_none() == gone);
            let lines = wanted.map(|step| index_info(&step.path, step.after.as_ref(), head.len()));
            lines.flatten().collect()
        };
        // Removed first: a file may take the place of a folder, or the other way round.
        for info in [entries(true), entries(false)] {
            let update = call("update-index").args(["-z", "--index-info"]);
            texts.git.run(update.input(info)).await?;
        }
        let tree = texts.git.line(call("write-tree")).await?;
        let commit = dated(call("commit-tree"), &format!("@{} +0000", what.at))
            .args([&tree, "-p", head])
            .input(what.message.as_bytes().to_vec());
        let commit = texts.git.line(commit).await?;
        let pack = texts
            .call(&texts.store.dir, "pack-objects")
            .args(["--quiet", "--revs"])
            .arg(texts.scratch.join("commit"))
            .input(format!("{commit}\n^{head}\n").into_bytes());
        let name = texts.git.line(pack).await?;
        let path = texts.scratch.join(format!("commit-{name}.pack"));
        let file = std::fs::File::open(&path).map_err(|e| ApplyError::io(&path, e))?;
        let top = &self.branch.repo.top;
        let unpack = Call::new(top, "index-pack").args(["--stdin", "--strict"]);
        texts.git.run(unpack.input_file(file).long()).await?;
        Ok(Some(commit))
    }

    /// Stages what each item is to be on disk, as the user's git would write it.
    async fn write_out(&self, items: &[Item]) -> Result<Vec<Option<Kind>>, ApplyError> {
        let wanted = |item: &Item| item.after.is_some() && item.what.writes();
        let (texts, out) = (&self.texts, self.texts.scratch.join("out"));
        std::fs::create_dir(&out).map_err(|e| ApplyError::io(&out, e))?;
        let index = texts.scratch.join("out.index");
        let call = |command| self.converting(&out, &index, command);
        texts
            .git
            .run(call("read-tree").arg(&self.branch.head))
            .await?;
        let steps = index_steps(items);
        for gone in [true, false] {
            let info = steps.iter().filter(|step| step.after.is_none() == gone);
            let info = info.flat_map(|step| {
                index_info(&step.path, step.after.as_ref(), self.branch.head.len())
            });
            let update = call("update-index").args(["-z", "--index-info"]);
            texts.git.run(update.input(info.collect())).await?;
        }
        let paths: Vec<u8> = items
            .iter()
            .filter(|item| wanted(item))
            .flat_map(|item| [&item.touched.path[..], b"\0"].concat())
            .collect();
        let write = call("checkout-index").args(["-f", "-z", "--stdin"]);
        texts.git.run(write.input(paths)).await?;
        let staged = staging(&self.workspace.inner().run_dir);
        let mut kinds = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let Some(after) = item.after.as_ref().filter(|_| wanted(item)) else {
                kinds.push(None);
                continue;
            };
            let from = out.join(std::ffi::OsStr::from_bytes(&item.touched.path));
            let to = staged.join(format!("a{n}"));
            stage(&from, &to, after.kind).map_err(|source| ApplyError::System {
                path: shown(&item.touched.path),
                source,
            })?;
            kinds.push(Some(after.kind));
        }
        Ok(kinds)
    }
}

fn stage(from: &Path, to: &Path, kind: Kind) -> std::io::Result<()> {
    if kind == Kind::Link {
        return std::fs::write(to, std::fs::read_link(from)?.as_os_str().as_bytes());
    }
    std::fs::rename(from, to)
}

/// The entries by which the commit differs from HEAD.
fn index_steps(items: &[Item]) -> Vec<IndexStep> {
    let changed = items
        .iter()
        .filter(|item| item.what.writes() && item.ours.side() != item.after.as_ref());
    let steps = changed.map(|item| IndexStep {
        path: item.touched.path.clone(),
        before: item.entry.clone(),
        after: item.after.clone(),
    });
    steps.collect()
}
