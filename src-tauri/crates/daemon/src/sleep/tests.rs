use std::io::{BufRead as _, BufReader, PipeReader};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::{mpsc, watch};
use zbus::fdo;

use super::power::{Supply, on_mains, supplies};
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn supply(kind: &str, online: &str, status: &str, scope: &str) -> Supply {
    let [kind, online, status, scope] = [kind, online, status, scope].map(str::to_owned);
    Supply {
        kind,
        online,
        status,
        scope,
    }
}

#[test]
fn power_comes_from_where_the_kernel_says() {
    let mains = |online| supply("Mains", online, "", "");
    let usb = |online| supply("USB", online, "", "");
    let battery = |status| supply("Battery", "", status, "");
    let mouse = |status| supply("Battery", "1", status, "Device");
    let ups = |status| supply("UPS", "1", status, "System");
    for (expected, supplies) in [
        (true, vec![]),
        (true, vec![mains("1")]),
        (true, vec![mains("1"), battery("Charging")]),
        // A charger too weak for what the machine takes is a plug all the same.
        (true, vec![mains("1"), battery("Discharging")]),
        (true, vec![mains("0"), usb("2"), battery("Full")]),
        (true, vec![mains("0"), battery("Not charging")]),
        (true, vec![battery("Full")]),
        (true, vec![battery("Unknown")]),
        (false, vec![mains("0"), battery("Discharging")]),
        (false, vec![mains("0"), usb("0"), battery("Discharging")]),
        (false, vec![battery("Discharging")]),
        (false, vec![battery("Full"), battery("Discharging")]),
        (true, vec![mouse("Discharging")]),
        (false, vec![mouse("Charging"), battery("Discharging")]),
        (true, vec![ups("Charging")]),
        (false, vec![ups("Discharging")]),
    ] {
        assert_eq!(on_mains(&supplies), expected, "{supplies:?}");
    }
}

fn write_supply(folder: &Path, name: &str, properties: &[(&str, &str)]) {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (property, value) in properties {
        std::fs::write(folder.join(property), format!("{value}\n")).unwrap();
    }
}

#[test]
fn supplies_are_read_as_the_kernel_lays_them_out() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(supplies(&folder.path().join("absent")), []);
    write_supply(folder.path(), "AC", &[("type", "Mains"), ("online", "1")]);
    assert_eq!(supplies(folder.path()), [supply("Mains", "1", "", "")]);
}

/// A bus of its own, ended with the test. `None`, said loudly, where there is no
/// such program; in CI there must be.
struct PrivateBus {
    daemon: Child,
    address: String,
}

impl PrivateBus {
    fn start() -> Option<Self> {
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .spawn();
        let mut daemon = match daemon {
            Ok(daemon) => daemon,
            Err(error) => {
                #[expect(clippy::disallowed_methods, reason = "CI speaks by its environment")]
                let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
                assert!(!in_ci, "dbus-daemon must be installed in CI: {error}");
                eprintln!("SKIPPED: the sleep tests need dbus-daemon (package dbus): {error}");
                return None;
            }
        };
        let mut address = String::new();
        let stdout = daemon.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        Some(Self { daemon, address })
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// One call of `Inhibit`, and the end of a pipe that shows whether the inhibitor
/// is still open.
struct Asked {
    arguments: [String; 4],
    granted: Option<PipeReader>,
}

struct FakeLogind {
    asked: mpsc::UnboundedSender<Asked>,
    grants: &'static [&'static str],
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl FakeLogind {
    fn inhibit(
        &self,
        what: String,
        who: String,
        why: String,
        mode: String,
    ) -> fdo::Result<zvariant::OwnedFd> {
        let grants = self.grants.contains(&what.as_str());
        let (reader, writer) = std::io::pipe().unwrap();
        let asked = Asked {
            arguments: [what, who, why, mode],
            granted: grants.then_some(reader),
        };
        self.asked.send(asked).ok();
        if grants {
            Ok(OwnedFd::from(writer).into())
        } else {
            Err(fdo::Error::AccessDenied("not you".into()))
        }
    }
}

/// A machine with such a logind, and what it is asked; lasts as long as all of it.
struct Fixture {
    machine: Option<Machine>,
    asked: mpsc::UnboundedReceiver<Asked>,
    supplies: tempfile::TempDir,
    _logind: zbus::Connection,
    _bus: PrivateBus,
}

async fn fixture(grants: &'static [&'static str]) -> Option<Fixture> {
    let bus = PrivateBus::start()?;
    let (sender, asked) = mpsc::unbounded_channel();
    let fake = FakeLogind {
        asked: sender,
        grants,
    };
    let logind = Builder::address(bus.address.as_str())
        .and_then(|builder| builder.serve_at("/org/freedesktop/login1", fake))
        .and_then(|builder| builder.name("org.freedesktop.login1"))
        .unwrap()
        .build()
        .await
        .unwrap();
    let supplies = tempfile::tempdir().unwrap();
    Some(Fixture {
        machine: Some(Machine {
            bus: Bus::At(bus.address.clone()),
            supplies: supplies.path().to_owned(),
        }),
        asked,
        supplies,
        _logind: logind,
        _bus: bus,
    })
}

impl Fixture {
    fn start(&mut self, working: bool) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = watch::channel(working);
        let machine = self.machine.take().expect("started once");
        let task = tokio::spawn(async move { machine.stay_awake(receiver).await });
        (sender, task)
    }

    async fn asked(&mut self) -> Asked {
        let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
        asked.expect("asked in time").expect("logind lives")
    }
}

/// Whether every copy of the inhibitor is closed within that time.
async fn released(pipe: &PipeReader, within: Duration) -> bool {
    let pipe = pipe.try_clone().unwrap();
    let within = Timespec::try_from(within).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut polled = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        poll(&mut polled, Some(&within)).unwrap() > 0
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleep_is_inhibited_exactly_while_something_works() {
    let Some(mut fixture) = fixture(&["sleep:idle"]).await else {
        return;
    };
    let (working, task) = fixture.start(false);
    for _ in 0..2 {
        assert!(fixture.asked.try_recv().is_err(), "nothing works yet");
        working.send(true).unwrap();
        let asked = fixture.asked().await;
        assert_eq!(
            asked.arguments,
            ["sleep:idle", "Longhaul", "agent runs are active", "block"]
        );
        let pipe = asked.granted.expect("granted");
        assert!(!released(&pipe, Duration::from_millis(300)).await);
        working.send(false).unwrap();
        assert!(released(&pipe, PATIENCE).await, "nothing works any more");
    }
    drop(working);
    task.await.unwrap();
}

#[test]
fn what_is_received_from_a_bus_is_closed_in_every_child() {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut passed = rustix::net::SendAncillaryBuffer::new(&mut space);
    let fds = [reader.as_fd()];
    assert!(passed.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [std::io::IoSlice::new(b"x")];
    rustix::net::sendmsg(&far, &bytes, &mut passed, rustix::net::SendFlags::empty()).unwrap();
    let (_, received) = super::socket::receive(near.as_fd(), &mut [0; 8]).unwrap();
    let flags = rustix::io::fcntl_getfd(&received[0]).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_battery_the_machine_may_sleep() {
    let Some(mut fixture) = fixture(&["sleep:idle"]).await else {
        return;
    };
    let discharging = [("type", "Battery"), ("status", "Discharging")];
    write_supply(fixture.supplies.path(), "BAT0", &discharging);
    let (working, task) = fixture.start(true);
    let asked = tokio::time::timeout(Duration::from_millis(300), fixture.asked.recv()).await;
    assert!(asked.is_err(), "on battery");
    // Each time it is told anew the plug is looked at; so it is every minute.
    write_supply(
        fixture.supplies.path(),
        "AC",
        &[("type", "Mains"), ("online", "1")],
    );
    working.send(true).unwrap();
    let pipe = fixture.asked().await.granted.expect("granted");
    std::fs::remove_dir_all(fixture.supplies.path().join("AC")).unwrap();
    working.send(true).unwrap();
    assert!(released(&pipe, PATIENCE).await, "unplugged");
    assert!(fixture.asked.try_recv().is_err());
    drop(working);
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_inhibit_sleep_inhibits_idling() {
    let Some(mut fixture) = fixture(&["idle"]).await else {
        return;
    };
    let (working, task) = fixture.start(true);
    assert_eq!(fixture.asked().await.arguments[0], "sleep:idle");
    let second = fixture.asked().await;
    assert_eq!(second.arguments[0], "idle");
    let pipe = second.granted.expect("granted");
    drop(working);
    task.await.unwrap();
    assert!(released(&pipe, PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logind_that_refuses_or_is_not_there_is_no_trouble() {
    let Some(mut fixture) = fixture(&[]).await else {
        return;
    };
    let (working, task) = fixture.start(true);
    for _ in 0..2 {
        assert!(fixture.asked().await.granted.is_none());
    }
    drop(working);
    task.await.unwrap();

    let (working, receiver) = watch::channel(true);
    let machine = Machine {
        bus: Bus::At("unix:path=/nonexistent/longhaul-test".into()),
        supplies: fixture.supplies.path().to_owned(),
    };
    let why = machine.inhibit().await.expect_err("no bus");
    assert!(!why.is_empty());
    drop(working);
    tokio::time::timeout(PATIENCE, machine.stay_awake(receiver))
        .await
        .expect("it ends with who tells it");
}
