//! From the program text to the programs it would start.

use std::collections::{HashMap, HashSet};

use brush_parser::ast::{
    AndOr, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem as Item,
    CompoundCommand, CompoundList, ExtendedTestExpr, Pipeline, SimpleCommand,
};
use brush_parser::{Parser, ParserOptions};

use super::{Around, Input, Invocation, Place, Word, through};

/// How deep commands may stand in commands before they are taken for unreadable.
const DEEPEST: u32 = 12;

/// Most rounds of a loop that are followed one by one.
const FOLLOWED: usize = 8;

/// Longest program text that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Why a command cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Everything a command would start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The programs, in the order in which they stand.
    pub(crate) invocations: Vec<Invocation>,
    /// Functions it defines: calling one starts nothing that is not listed.
    pub(crate) functions: HashSet<String>,
    /// A function calls itself beside itself: it would fill the machine.
    pub(crate) multiplies: bool,
}

/// Reads a command that would be started at the top of the workspace.
///
/// # Errors
/// If it is no shell command, or holds one where this reader does not look.
pub(crate) fn read(command: &str, around: Around<'_>) -> Result<Reading, Unreadable> {
    if command.len() > LONGEST {
        return Err(Unreadable(format!(
            "it is longer than {LONGEST} bytes: too long to be understood"
        )));
    }
    if command
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
    {
        return Err(Unreadable("it has control characters in it".to_owned()));
    }
    let mut reader = Reader {
        around,
        reading: Reading::default(),
        variables: HashMap::new(),
        place: Place::default(),
        depth: 0,
        source: String::new(),
    };
    reader.script(command)?;
    Ok(reader.reading)
}

pub(super) struct Reader<'w> {
    around: Around<'w>,
    pub(super) reading: Reading,
    /// What is known of variables set so far; `None`: set, to nobody knows what.
    variables: HashMap<String, Option<String>>,
    pub(super) place: Place,
    depth: u32,
    /// The program text that is read now.
    source: String,
}

impl Reader<'_> {
    pub(super) fn variable(&self, name: &str) -> Option<Option<String>> {
        self.variables.get(name).cloned()
    }

    /// A program text within the one that is read, in a shell of its own.
    pub(super) fn inner(&mut self, script: &str) -> Result<(), Unreadable> {
        let (variables, place) = (self.variables.clone(), self.place.clone());
        let read = self.script(script);
        (self.variables, self.place) = (variables, place);
        read
    }

    fn script(&mut self, script: &str) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unreadable("commands in commands in commands".to_owned()));
        }
        let mut parser = Parser::new(script.as_bytes(), &ParserOptions::default());
        let program = parser
            .parse_program()
            .map_err(|e| Unreadable(format!("it is no complete shell command ({e})")))?;
        let outer = std::mem::replace(&mut self.source, script.to_owned());
        for list in &program.complete_commands {
            self.list(list)?;
        }
        self.source = outer;
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self, list: &CompoundList) -> Result<(), Unreadable> {
        for item in &list.0 {
            self.pipeline(&item.0.first)?;
            for more in &item.0.additional {
                match more {
                    AndOr::And(pipeline) | AndOr::Or(pipeline) => self.pipeline(pipeline)?,
                }
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<(), Unreadable> {
        let alone = pipeline.seq.len() == 1;
        let mut said = Input::None;
        for command in &pipeline.seq {
            let (variables, place) = (self.variables.clone(), self.place.clone());
            let first = self.reading.invocations.len();
            self.command(command, said)?;
            said = self.said_since(first);
            if !alone {
                // Each part of a pipe is a shell of its own.
                (self.variables, self.place) = (variables, place);
            }
        }
        Ok(())
    }

    /// What the programs since `first` say, where that is plain: `echo`'s words.
    fn said_since(&self, first: usize) -> Input {
        match &self.reading.invocations[first..] {
            [one] if matches!(one.program(), "echo" | "printf") => {
                let words: Option<Vec<_>> = one.args().iter().map(Word::literal).collect();
                match words {
                    Some(words) => Input::Text(words.join(" ")),
                    None => Input::Pipe,
                }
            }
            _ => Input::Pipe,
        }
    }

    fn command(&mut self, command: &Command, input: Input) -> Result<(), Unreadable> {
        match command {
            Command::Simple(simple) => self.simple(simple, input),
            Command::Compound(compound, redirects) => {
                let mut wrapper = Invocation::default();
                for redirect in redirects.iter().flat_map(|list| &list.0) {
                    self.redirect(redirect, &mut wrapper)?;
                }
                self.files_of(wrapper);
                self.compound(compound)
            }
            Command::Function(function) => {
                let name = function.fname.value.clone();
                self.reading.functions.insert(name.clone());
                let first = self.reading.invocations.len();
                self.compound(&function.body.0)?;
                let calls = |one: &Invocation| one.program() == name;
                let itself = self.reading.invocations[first..]
                    .iter()
                    .filter(|i| calls(i));
                self.reading.multiplies |= itself.count() > 1;
                Ok(())
            }
            Command::ExtendedTest(test, _) => self.test(&test.expr),
        }
    }

    fn test(&mut self, test: &ExtendedTestExpr) -> Result<(), Unreadable> {
        match test {
            ExtendedTestExpr::And(a, b) | ExtendedTestExpr::Or(a, b) => {
                self.test(a)?;
                self.test(b)
            }
            ExtendedTestExpr::Not(a) | ExtendedTestExpr::Parenthesized(a) => self.test(a),
            ExtendedTestExpr::UnaryTest(_, word) => self.word(word).map(drop),
            ExtendedTestExpr::BinaryTest(_, a, b) => {
                self.word(a)?;
                self.word(b).map(drop)
            }
        }
    }

    fn compound(&mut self, command: &CompoundCommand) -> Result<(), Unreadable> {
        match command {
            CompoundCommand::Arithmetic(a) => {
                // `( (reboot) )` is two shells; only `((` begins arithmetic.
                let at = a.loc.start.index;
                let begin: String = self.source.chars().skip(at).take(2).collect();
                match begin.as_str() {
                    "((" => self.arithmetic(&a.expr.value),
                    _ => Err(Unreadable("brackets in brackets".to_owned())),
                }
            }
            CompoundCommand::ArithmeticForClause(f) => {
                for part in [&f.initializer, &f.condition, &f.updater] {
                    self.arithmetic(part.as_ref().map_or("", |expr| &expr.value))?;
                }
                self.list(&f.body.list)
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(shell) => self.apart(&shell.list),
            CompoundCommand::ForClause(f) => {
                let mut values = Vec::new();
                for value in f.values.iter().flatten() {
                    values.extend(self.words(value)?);
                }
                let few = (1..=FOLLOWED).contains(&values.len());
                if !few || f.values.is_none() || !values.iter().all(|value| value.known) {
                    self.variables.insert(f.variable_name.clone(), None);
                    return self.list(&f.body.list);
                }
                for value in values {
                    let name = f.variable_name.clone();
                    self.variables.insert(name, Some(value.text));
                    self.list(&f.body.list)?;
                }
                Ok(())
            }
            CompoundCommand::CaseClause(case) => {
                self.word(&case.value)?;
                for item in &case.cases {
                    if let Some(list) = &item.cmd {
                        self.list(list)?;
                    }
                }
                Ok(())
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition)?;
                self.list(&clause.then)?;
                for other in clause.elses.iter().flatten() {
                    if let Some(condition) = &other.condition {
                        self.list(condition)?;
                    }
                    self.list(&other.body)?;
                }
                Ok(())
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0)?;
                self.list(&clause.1.list)
            }
            CompoundCommand::Coprocess(process) => self.command(&process.body, Input::Pipe),
        }
    }

    fn arithmetic(&mut self, text: &str) -> Result<(), Unreadable> {
        match text.contains("$(") || text.contains('`') {
            true => Err(Unreadable("a command inside arithmetic".to_owned())),
            false => Ok(()),
        }
    }

    pub(super) fn apart(&mut self, list: &CompoundList) -> Result<(), Unreadable> {
        let (variables, place) = (self.variables.clone(), self.place.clone());
        let read = self.list(list);
        (self.variables, self.place) = (variables, place);
        read
    }

    fn simple(&mut self, command: &SimpleCommand, input: Input) -> Result<(), Unreadable> {
        let mut found = Invocation {
            input,
            ..Invocation::default()
        };
        let mut set = Vec::new();
        for item in command.prefix.iter().flat_map(|prefix| &prefix.0) {
            if let Item::AssignmentWord(assignment, _) = item {
                set.push(self.assignment(assignment)?);
            } else {
                self.item(item, &mut found)?;
            }
        }
        if let Some(name) = &command.word_or_name {
            let words = self.words(name)?;
            found.words.extend(words);
        }
        for item in command.suffix.iter().flat_map(|suffix| &suffix.0) {
            self.item(item, &mut found)?;
        }
        if found.words.is_empty() {
            found.words.push(Word::plain(":"));
            found.sets = set.iter().map(|(name, _)| name.clone()).collect();
            // Only variables: they hold from here on.
            self.variables.extend(set);
        } else {
            found.sets = set.into_iter().map(|(name, _)| name).collect();
        }
        found.place = self.place.clone();
        self.start(found)
    }

    fn assignment(
        &mut self,
        assignment: &brush_parser::ast::Assignment,
    ) -> Result<(String, Option<String>), Unreadable> {
        let name = match &assignment.name {
            AssignmentName::VariableName(name) | AssignmentName::ArrayElementName(name, _) => name,
        };
        let value = match &assignment.value {
            AssignmentValue::Scalar(word) => {
                let word = self.word(word)?;
                word.known
                    .then_some(word.text)
                    .filter(|_| !assignment.append)
            }
            AssignmentValue::Array(values) => {
                for (_, value) in values {
                    self.word(value)?;
                }
                None
            }
        };
        Ok((name.clone(), value))
    }

    fn item(&mut self, item: &Item, found: &mut Invocation) -> Result<(), Unreadable> {
        match item {
            Item::IoRedirect(redirect) => self.redirect(redirect, found),
            Item::Word(word) | Item::AssignmentWord(_, word) => {
                let words = self.words(word)?;
                found.words.extend(words);
                Ok(())
            }
            Item::ProcessSubstitution(_, shell) => {
                self.apart(&shell.list)?;
                found.words.push(Word {
                    text: "/dev/fd/63".to_owned(),
                    known: false,
                    glob: false,
                });
                Ok(())
            }
        }
    }

    /// A program is started: programs that start others are seen through.
    pub(super) fn start(&mut self, found: Invocation) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST * 2 {
            return Err(Unreadable("programs in programs in programs".to_owned()));
        }
        self.note_shell_state(&found);
        match through::see(&found) {
            through::Seen::Program => self.reading.invocations.push(found),
            through::Seen::Other(others) => {
                for other in others {
                    self.start(other)?;
                }
            }
            through::Seen::Script(script) => {
                let raised = found.raised_by.clone();
                let first = self.reading.invocations.len();
                self.inner(&script)?;
                for inner in &mut self.reading.invocations[first..] {
                    inner.raised_by = inner.raised_by.take().or_else(|| raised.clone());
                    inner.sets.extend(found.sets.iter().cloned());
                }
                // The files it is redirected to are touched all the same.
                if !found.writes.is_empty() || !found.reads.is_empty() {
                    self.reading.invocations.push(Invocation {
                        words: vec![Word::plain(":")],
                        ..found
                    });
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// What a builtin changes for all that follows.
    fn note_shell_state(&mut self, found: &Invocation) {
        match found.program() {
            "cd" => {
                let to = found
                    .args()
                    .iter()
                    .rfind(|word| !word.text.starts_with('-'));
                let to = to.and_then(Word::literal);
                self.place = self.place.then(to, self.around);
            }
            "pushd" | "popd" => self.place = Place::unknown(),
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                for word in found.args() {
                    if let Some((name, value)) = word.text.split_once('=') {
                        let value = word.known.then(|| value.to_owned());
                        self.variables.insert(name.to_owned(), value);
                    }
                }
            }
            "read" | "mapfile" | "readarray" | "getopts" | "let" | "unset" => {
                for word in found.args() {
                    self.variables.insert(word.text.clone(), None);
                }
            }
            _ => {}
        }
    }
}
