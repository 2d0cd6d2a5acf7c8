//! Files and texts the shell itself connects a program with.

use brush_parser::ast::{IoFileRedirectKind, IoFileRedirectTarget, IoRedirect};

use super::read::{Reader, Unreadable};
use super::{Input, Invocation, Word};

impl Reader<'_> {
    pub(super) fn redirect(
        &mut self,
        redirect: &IoRedirect,
        found: &mut Invocation,
    ) -> Result<(), Unreadable> {
        match redirect {
            IoRedirect::File(_, kind, target) => {
                let reads = matches!(
                    kind,
                    IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput
                );
                let word = match target {
                    IoFileRedirectTarget::Filename(word) => self.word(word)?,
                    IoFileRedirectTarget::Duplicate(word) => {
                        let word = self.word(word)?;
                        let digits = word.text.trim_end_matches('-');
                        if word.known && digits.chars().all(|c| c.is_ascii_digit()) {
                            return Ok(());
                        }
                        word
                    }
                    IoFileRedirectTarget::Fd(_) => return Ok(()),
                    IoFileRedirectTarget::ProcessSubstitution(_, shell) => {
                        return self.apart(&shell.list);
                    }
                };
                if reads {
                    &mut found.reads
                } else {
                    &mut found.writes
                }
                .push(word);
                Ok(())
            }
            IoRedirect::HereDocument(_, document) => {
                let text = if document.requires_expansion {
                    self.document(&document.doc.value)?
                } else {
                    Word::plain(document.doc.value.clone())
                };
                found.input = match text.known {
                    true => Input::Text(text.text),
                    false => Input::Pipe,
                };
                Ok(())
            }
            IoRedirect::HereString(_, word) => {
                let word = self.word(word)?;
                found.input = match word.known {
                    true => Input::Text(word.text),
                    false => Input::Pipe,
                };
                Ok(())
            }
            IoRedirect::OutputAndError(word, _) => {
                let word = self.word(word)?;
                found.writes.push(word);
                Ok(())
            }
        }
    }

    /// Files a compound command's redirections touch: nobody's words but the shell's.
    pub(super) fn files_of(&mut self, wrapper: Invocation) {
        if !wrapper.writes.is_empty() || !wrapper.reads.is_empty() {
            self.reading.invocations.push(Invocation {
                words: vec![Word::plain(":")],
                place: self.place.clone(),
                ..wrapper
            });
        }
    }
}
