//! An agent that follows a script in any of the three languages of supervised agents, and
//! breaks their rules where the script says so: `rough-agent claude|codex|acp SCRIPT …`.
//!
//! It really runs its commands. What it has done stands in a file below the user's home, so
//! that its session can be gone on with: the call it was killed in is not made again.

mod acp;
mod claude;
mod codex;
mod memory;
mod script;
mod voice;

use std::{
    io::{BufRead as _, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, TryRecvError, channel},
    time::Duration,
};

use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group, setsid};
use serde_json::Value;

use self::{
    memory::Memory,
    script::{DieAt, RoughScript, Step},
    voice::{Heard, Voice},
};

/// Between two looks at whether a command has ended, or an interrupt came.
const LOOK: Duration = Duration::from_millis(5);

/// A command is known by so many bytes of its beginning.
const TOLD: usize = 80;

/// Runs the agent on this process's standard streams. `args` are those after the program's
/// name. Returns the exit code.
pub fn run(args: impl IntoIterator<Item = String>) -> i32 {
    let args: Vec<String> = args.into_iter().collect();
    let [language, script, rest @ ..] = args.as_slice() else {
        complain("usage: rough-agent claude|codex|acp SCRIPT …");
        return 2;
    };
    if rest.iter().any(|arg| arg == "--version") {
        say_raw(b"0.0.1 (rough)\n");
        return 0;
    }
    let script = match RoughScript::from_file(Path::new(script)) {
        Ok(script) => script,
        Err(error) => {
            complain(&format!("rough-agent: {error:#}"));
            return 2;
        }
    };
    let voice: Box<dyn Voice> = match language.as_str() {
        "claude" => Box::new(claude::Claude::new(rest)),
        "codex" => Box::new(codex::Codex::default()),
        _ => Box::new(acp::Acp::new(script.resumes, script.version)),
    };
    Agent::new(voice, script).perform()
}

/// What became of a step.
enum Flow {
    On,
    Interrupted,
    Exit(i32),
}

struct Agent {
    voice: Box<dyn Voice>,
    script: RoughScript,
    input: Receiver<Value>,
    memory: Option<Memory>,
    calls: u32,
}

impl Agent {
    fn new(voice: Box<dyn Voice>, script: RoughScript) -> Self {
        let (lines, input) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if let Ok(message) = serde_json::from_str(&line)
                    && lines.send(message).is_err()
                {
                    return;
                }
            }
        });
        Self {
            voice,
            script,
            input,
            memory: None,
            calls: 0,
        }
    }

    fn perform(mut self) -> i32 {
        for step in self.script.start.clone() {
            if let Flow::Exit(code) = self.step(&step) {
                return code;
            }
        }
        while let Ok(message) = self.input.recv() {
            match self.hear(&message) {
                Heard::Prompt => {
                    if let Some(code) = self.turn() {
                        return code;
                    }
                }
                Heard::Answer { .. } | Heard::Interrupt | Heard::Nothing => {}
            }
        }
        match self.script.stays {
            true => loop {
                std::thread::park();
            },
            false => 0,
        }
    }

    fn hear(&mut self, message: &Value) -> Heard {
        let mut heard = Vec::new();
        let meaning = self.voice.hear(message, &mut heard);
        heard.iter().for_each(say);
        meaning
    }

    fn turn(&mut self) -> Option<i32> {
        let session = self.voice.session();
        let mut memory = Memory::of(self.voice.folder(), &session);
        self.tell(|voice, out| voice.begin(out));
        let done = memory.done();
        if let Some(command) = memory.cut_off() {
            let words = format!("My call was cut off: {command}");
            self.tell(|voice, out| voice.text(&words, out));
        }
        memory.go_on();
        self.memory = Some(memory);
        let mut interrupted = false;
        for (n, step) in self.script.turn.clone().iter().enumerate().skip(done) {
            if let Some(memory) = &mut self.memory {
                memory.begin(n, step);
            }
            match self.step(step) {
                Flow::On => {}
                Flow::Interrupted => {
                    interrupted = true;
                    break;
                }
                Flow::Exit(code) => return Some(code),
            }
            if let Some(memory) = &mut self.memory {
                memory.end(n);
            }
        }
        if !self.script.never_ends {
            self.tell(|voice, out| voice.end(interrupted, out));
        }
        None
    }

    fn tell(&mut self, what: impl FnOnce(&mut dyn Voice, &mut Vec<Value>)) {
        let mut out = Vec::new();
        what(&mut *self.voice, &mut out);
        out.iter().for_each(say);
    }

    fn step(&mut self, step: &Step) -> Flow {
        match step {
            Step::Say { text } => self.tell(|voice, out| voice.text(text, out)),
            Step::Raw { line } => say(line),
            Step::Garbage { lines, bytes } => {
                let mut line = vec![b'x'; *bytes];
                line.push(b'\n');
                (0..*lines).for_each(|_| say_raw(&line));
            }
            Step::LongText { bytes } => {
                let words = "x".repeat(*bytes);
                self.tell(|voice, out| voice.text(&words, out));
            }
            Step::Flood { messages } => {
                for n in 0..*messages {
                    let words = format!("word {n} ");
                    self.tell(|voice, out| voice.chunk(&words, out));
                }
            }
            Step::Run { command, ask, die } => return self.command(command, *ask, *die),
            Step::AskTwice { commands } => return self.ask_twice(commands),
            Step::AskAgain { commands } => return self.ask_again(commands),
            Step::UnknownResult => {
                self.tell(|voice, out| voice.call_ended("nobody-knows-this", "what?", true, out));
            }
            Step::LeaveBehind { command } => leave_behind(command),
            Step::Hang { deaf } => return self.hang(*deaf),
            Step::Stderr { text } => complain(text),
            Step::Die => die(),
            Step::Exit { code } => return Flow::Exit(*code),
        }
        Flow::On
    }

    /// A model that is told that something was done does not do it again.
    fn was_told_of(&self, command: &str) -> bool {
        let words = command.split_whitespace().collect::<Vec<_>>().join(" ");
        let beginning = &words[..words.floor_char_boundary(TOLD)];
        self.voice.prompt().contains(&format!("- bash {beginning}"))
    }

    fn next_call(&mut self) -> String {
        self.calls += 1;
        format!("call-{}-{}", std::process::id(), self.calls)
    }

    fn command(&mut self, command: &str, ask: bool, die_at: Option<DieAt>) -> Flow {
        if self.was_told_of(command) {
            return Flow::On;
        }
        let call = self.next_call();
        self.tell(|voice, out| voice.call_begins(&call, command, out));
        if ask {
            self.tell(|voice, out| voice.ask("q", &call, command, out));
            die_if(die_at == Some(DieAt::Asked));
            match self.answer() {
                Some(true) => {}
                Some(false) => {
                    self.tell(|voice, out| voice.call_ended(&call, "it was refused", false, out));
                    return Flow::On;
                }
                None => return Flow::Interrupted,
            }
        }
        die_if(die_at == Some(DieAt::Before));
        let Some((output, fine)) = self.run(command) else {
            self.tell(|voice, out| voice.call_ended(&call, "it was interrupted", false, out));
            return Flow::Interrupted;
        };
        die_if(die_at == Some(DieAt::After));
        self.tell(|voice, out| voice.call_ended(&call, &output, fine, out));
        Flow::On
    }

    /// Two questions under one number; what is allowed is done.
    fn ask_twice(&mut self, commands: &[String]) -> Flow {
        for command in commands {
            let call = self.next_call();
            self.tell(|voice, out| voice.call_begins(&call, command, out));
            self.tell(|voice, out| voice.ask("q", &call, command, out));
        }
        match self.answer() {
            Some(true) => {
                for command in commands {
                    self.run(command);
                }
                Flow::On
            }
            Some(false) => Flow::On,
            None => Flow::Interrupted,
        }
    }

    /// Asks about one call twice, under two numbers, with other arguments the second time;
    /// each that is allowed is done.
    fn ask_again(&mut self, commands: &[String]) -> Flow {
        let call = self.next_call();
        for (n, command) in commands.iter().enumerate() {
            let question = format!("q{n}");
            if n == 0 {
                self.tell(|voice, out| voice.call_begins(&call, command, out));
            }
            self.tell(|voice, out| voice.ask(&question, &call, command, out));
            match self.answer() {
                Some(true) => drop(self.run(command)),
                Some(false) => {}
                None => return Flow::Interrupted,
            }
        }
        self.tell(|voice, out| voice.call_ended(&call, "done", true, out));
        Flow::On
    }

    /// Waits for the answer to a question; None if it was interrupted.
    fn answer(&mut self) -> Option<bool> {
        while let Ok(message) = self.input.recv() {
            match self.hear(&message) {
                Heard::Answer { allowed } => return Some(allowed),
                Heard::Interrupt => return None,
                Heard::Prompt | Heard::Nothing => {}
            }
        }
        None
    }

    fn hang(&mut self, deaf: bool) -> Flow {
        while let Ok(message) = self.input.recv() {
            if !deaf && matches!(self.hear(&message), Heard::Interrupt) {
                return Flow::Interrupted;
            }
        }
        loop {
            std::thread::park();
        }
    }

    /// Runs it; None if it was interrupted.
    fn run(&mut self, command: &str) -> Option<(String, bool)> {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .ok()?;
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return Some((format!("{status}"), status.success()));
            }
            match self.input.try_recv() {
                Ok(message) if matches!(self.hear(&message), Heard::Interrupt) => {
                    end(&mut child);
                    return None;
                }
                Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process_group(group, Signal::KILL).ok();
    }
    child.wait().ok();
}

/// A process in a session of its own, which nobody waits for.
fn leave_behind(command: &str) {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("({command}) & exit 0")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // A session of its own: no group of the agent's reaches it.
    let mut apart = Command::new("setsid");
    apart.arg(shell.get_program()).args(shell.get_args());
    let apart = apart
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if apart.status().is_err() {
        setsid().ok();
        shell.status().ok();
    }
}

fn die_if(due: bool) {
    if due {
        die();
    }
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).ok();
    std::process::abort()
}

fn say(message: &Value) {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    say_raw(&line);
}

fn say_raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    // Whoever listened may be gone.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn complain(words: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}
