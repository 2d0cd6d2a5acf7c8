//! `webhook …`

use protocol::{
    WebhookRemove, WebhookRequest, WebhookSet, WebhookState, WebhookTestRequest, WebhookTopic,
    WebhookView,
};

use super::backend::{key_words, source};
use crate::args::{Topic, WebhookCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};
use crate::times;

pub(super) async fn run(context: &Context, command: WebhookCommand) -> Result<u8, Failure> {
    let print = &context.print;
    let view = match command {
        WebhookCommand::Set(new) => {
            let key = source(new.key_stdin, new.key_command, new.key_env)?;
            let topic = |topic: &Topic| match topic {
                Topic::Reviews => WebhookTopic::Reviews,
                Topic::Runs => WebhookTopic::Runs,
            };
            let request = WebhookSet {
                url: new.url,
                events: new.events.iter().map(topic).collect(),
                key,
            };
            context.client().await?.webhook_set(request).await?
        }
        WebhookCommand::Show => context.client().await?.webhook(WebhookRequest {}).await?,
        WebhookCommand::Remove => {
            let client = context.client().await?;
            client.webhook_remove(WebhookRemove {}).await?
        }
        WebhookCommand::Test => {
            let request = WebhookTestRequest {};
            let test = context.client().await?.webhook_test(request).await?;
            print.either(&test, || {
                let (mark, look) = match test.ok {
                    true => ("✓", Look::Good),
                    false => ("✗", Look::Bad),
                };
                format!(
                    "{} {} (delivery {})",
                    print.look(mark, look),
                    safe(&test.words),
                    test.delivery
                )
            })?;
            return Ok(if test.ok { 0 } else { 1 });
        }
    };
    print.either(&view, || words(context, &view))?;
    Ok(0)
}

fn words(context: &Context, view: &WebhookView) -> String {
    let Some(webhook) = &view.webhook else {
        return "nobody is told; `longhaul webhook set URL` names who is".to_owned();
    };
    let topics = webhook.events.iter().map(|topic| match topic {
        WebhookTopic::Reviews => "reviews",
        WebhookTopic::Runs => "runs that end",
    });
    let topics: Vec<&str> = topics.collect();
    let mut lines = vec![
        format!(
            "{} is told of {}",
            safe(&webhook.host),
            topics.join(" and ")
        ),
        format!("  signed with: {}", safe(&key_words(&webhook.key))),
    ];
    lines.push(format!("  {}", delivery_words(context, webhook)));
    lines.join("\n")
}

/// How telling goes, in one line.
pub(super) fn delivery_words(context: &Context, webhook: &WebhookState) -> String {
    let ago = |at: protocol::Moment| times::relative(at.0, context.now());
    let mut words = safe(&webhook.words);
    if let Some(at) = webhook.next_at.filter(|_| !webhook.ok) {
        words.push_str(&format!("; next try {}", ago(at)));
    }
    if let Some(at) = webhook.delivered_at {
        words.push_str(&format!("; last delivered {}", ago(at)));
    }
    words
}
