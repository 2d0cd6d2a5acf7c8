//! `backend …`

use std::io::Read;

use protocol::{
    AgentsFound, AgentsFoundRequest, BackendAdd, BackendListRequest, BackendRemove,
    BackendTestRequest, BackendView, Kept, KeySource, KeyText, KeyView, PromiseOf, Promised,
};

use crate::args::{BackendCommand, BackendNew};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::Look;
use crate::table::{Align, Table, cell, looking};

/// No key is anywhere near this long, in bytes.
const MAX_KEY: u64 = 64 * 1024;

pub(super) async fn run(context: &Context, command: BackendCommand) -> Result<u8, Failure> {
    let print = &context.print;
    match command {
        BackendCommand::Add(new) => {
            let request = request(*new)?;
            let backend = context.client().await?.backend_add(request).await?;
            print.either(&backend, || {
                let added = format!("added {} ({})", backend.name, backend.kind);
                let rest = backend
                    .promises
                    .iter()
                    .filter(|promise| promise.kept != Kept::Yes);
                let line =
                    |promise: &Promised| format!("  {}: {}", word(promise.of), promise.words);
                let lines = std::iter::once(added).chain(rest.map(line));
                lines.collect::<Vec<_>>().join("\n")
            })?;
        }
        BackendCommand::List => {
            let list = context
                .client()
                .await?
                .backend_list(BackendListRequest {})
                .await?;
            print.either(&list, || {
                if list.backends.is_empty() {
                    return "no backends; name one with `longhaul backend add NAME --kind KIND`"
                        .to_owned();
                }
                table(context, &list.backends)
            })?;
        }
        BackendCommand::Remove(args) => {
            let request = BackendRemove { name: args.name };
            let removed = context.client().await?.backend_remove(request).await?;
            print.either(&removed, || format!("removed {}", removed.name))?;
        }
        BackendCommand::Found => {
            let client = context.client().await?;
            let found = client.agents_found(AgentsFoundRequest {}).await?;
            print.either(&found, || found_table(context, &found))?;
        }
        BackendCommand::Test(args) => {
            let request = BackendTestRequest { name: args.name };
            let test = context.client().await?.backend_test(request).await?;
            print.either(&test, || {
                let line = |check: &protocol::BackendCheck| {
                    let (mark, look) = if check.ok {
                        ("✓", Look::Good)
                    } else {
                        ("✗", Look::Bad)
                    };
                    format!(
                        "{} {}: {}",
                        print.look(mark, look),
                        check.what,
                        check.detail
                    )
                };
                test.checks.iter().map(line).collect::<Vec<_>>().join("\n")
            })?;
            return Ok(if test.ok { 0 } else { 1 });
        }
    }
    Ok(0)
}

/// How many of a server's models the table names.
const NAMED: usize = 4;

fn found_table(context: &Context, found: &AgentsFound) -> String {
    use Align::Left;
    let mut table = Table::new(&[
        ("NAME", Left),
        ("AT", Left),
        ("OFFERS", Left),
        ("ADDED AS", Left),
    ]);
    let added = |names: &[String]| match names {
        [] => "-".to_owned(),
        names => names.join(", "),
    };
    for server in &found.servers {
        let some: Vec<&str> = server
            .models
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect();
        let more = if server.models.len() > NAMED {
            ", …"
        } else {
            ""
        };
        table.row(vec![
            looking(&server.name, Look::Bold),
            cell(&server.base_url),
            cell(format!("{}{more}", some.join(", "))),
            cell(added(&server.added_as)),
        ]);
    }
    let installed = found.agents.iter().filter(|agent| agent.path.is_some());
    for agent in installed {
        table.row(vec![
            looking(&agent.name, Look::Bold),
            cell(agent.path.as_deref().unwrap_or("-")),
            cell(agent.version.as_deref().unwrap_or(&agent.needs)),
            cell(added(&agent.added_as)),
        ]);
    }
    if found.servers.is_empty() && found.agents.iter().all(|agent| agent.path.is_none()) {
        return "no agent is on the PATH, and no model server answers on this machine".to_owned();
    }
    let agents = found.agents.iter().filter_map(|agent| {
        let addable = agent.path.is_some() && agent.added_as.is_empty();
        let (name, program, kind) = (&agent.name, &agent.program, agent.kind?);
        addable.then(|| format!("add {name} with `longhaul backend add {program} --kind {kind}`"))
    });
    let server =
        "add a server with `longhaul backend add NAME --kind openai --url URL --model ID --free`";
    let how: Vec<String> = agents.chain([server.to_owned()]).collect();
    format!(
        "{}\n\n{}",
        table.show(&context.print).trim_end(),
        how.join("\n")
    )
}

/// How the command line calls what is promised.
fn word(of: PromiseOf) -> &'static str {
    match of {
        PromiseOf::Cost => "cost",
        PromiseOf::Tools => "tools",
        PromiseOf::Permission => "permission",
        PromiseOf::Interrupt => "interrupt",
        PromiseOf::Resume => "resume",
    }
}

fn request(new: BackendNew) -> Result<BackendAdd, Failure> {
    let key = source(new.key_stdin, new.key_command, new.key_env)?;
    Ok(BackendAdd {
        name: new.name,
        kind: new.kind,
        base_url: new.base_url,
        model: new.model,
        command: new.command,
        free: new.free,
        key,
    })
}

/// Where a key comes from, by the options that say so.
pub(super) fn source(
    stdin: bool,
    command: Option<String>,
    env: Option<String>,
) -> Result<Option<KeySource>, Failure> {
    if stdin {
        let key = KeyText(read_key()?);
        return Ok(Some(KeySource::Keychain { key }));
    }
    let command = command.map(|command| KeySource::Command { command });
    Ok(command.or(env.map(|var| KeySource::Env { var })))
}

/// How a key is come by.
pub(super) fn key_words(key: &KeyView) -> String {
    match key {
        KeyView::None => "none".to_owned(),
        KeyView::Keychain => "keychain".to_owned(),
        KeyView::Command { command } => format!("command {command}"),
        KeyView::Env { var } => format!("variable {var}"),
    }
}

fn read_key() -> Result<String, Failure> {
    let mut key = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_KEY)
        .read_to_string(&mut key)?;
    let key = key.trim().to_owned();
    if key.is_empty() {
        return Err(Failure::usage(
            "there is no key on standard input",
            "pipe the key in",
        ));
    }
    Ok(key)
}

fn table(context: &Context, backends: &[BackendView]) -> String {
    use Align::Left;
    let mut table = Table::new(&[
        ("NAME", Left),
        ("KIND", Left),
        ("MODEL", Left),
        ("KEY", Left),
        ("AT", Left),
    ]);
    for backend in backends {
        let key = key_words(&backend.key);
        let kind = match backend.simulated {
            true => format!("{} (simulated)", backend.kind),
            false => backend.kind.to_string(),
        };
        let place = backend.base_url.as_deref().or(backend.command.as_deref());
        table.row(vec![
            looking(&backend.name, Look::Bold),
            cell(kind),
            cell(backend.model.as_deref().unwrap_or("-")),
            cell(key),
            cell(place.unwrap_or("-")),
        ]);
    }
    table.show(&context.print)
}
