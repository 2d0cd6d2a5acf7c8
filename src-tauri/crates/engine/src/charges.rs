//! The ledger rows of calls: what was used, what it cost, and how that is known.

use domain::{BackendKind, Charge, Figure, NanoUsd, Op, OpKind, Run};

use crate::backends::BackendConfig;
use crate::core::Core;
use crate::think::Call;

impl Core {
    /// The ledger row of a turn that ended without a report of its own, from what was
    /// seen of it: it may have cost more or less.
    pub(crate) fn estimated(&self, backend: &BackendConfig, usage: &agents::Usage) -> Charge {
        let mut usage = usage.clone();
        let asked = backend.model_for(None).unwrap_or_default();
        for part in usage.parts.iter_mut().filter(|p| p.model.is_empty()) {
            part.model.clone_from(&asked);
        }
        let model = usage.parts.last().map_or("", |part| part.model.as_str());
        let charge = self.charge(backend, &usage, model);
        let figure = match charge.figure {
            Figure::Priced if !backend.free => Figure::Unsettled,
            known => known,
        };
        Charge { figure, ..charge }
    }

    /// What an agent's turn may have cost whose process and keeper are gone, by what is
    /// left of what it said. None for anything but an agent's turn.
    pub(crate) async fn charge_of_lost_turn(&self, run: &Run, op: &Op) -> Option<Box<Charge>> {
        let booked = run.metered == Some(op.id);
        if booked || run.task.kind.is_native() || op.kind != OpKind::Model {
            return None;
        }
        let dir = self.keeper_dir(op.keeper.as_deref()?);
        let used = match run.task.kind {
            BackendKind::Codex => agents::codex::consumed(&dir).await?,
            BackendKind::Acp => agents::acp::consumed(&dir).await?,
            _ => agents::claude_code::consumed(&dir).await?,
        };
        let backend = self.backend(&run.backend).await.ok()?;
        Some(Box::new(self.estimated(&backend, &used)))
    }

    /// The ledger row of an answered call.
    pub(crate) fn charge(
        &self,
        backend: &BackendConfig,
        usage: &agents::Usage,
        model: &str,
    ) -> Charge {
        let tokens = usage
            .parts
            .iter()
            .fold(domain::Tokens::default(), |sum, part| {
                sum.plus(&part.tokens)
            });
        let priced = self.parts.prices.price(&usage.parts, self.now());
        let estimated = usage.counted == agents::Counted::Estimated;
        let (cost, figure) = match (usage.cost, priced.figure) {
            _ if backend.free && estimated => (Some(NanoUsd::ZERO), Figure::Estimated),
            _ if backend.free => (Some(NanoUsd::ZERO), Figure::Priced),
            (Some(said), _) => (Some(said), Figure::Reported),
            (None, Figure::Priced) if estimated => (priced.cost, Figure::Estimated),
            (None, figure) => (priced.cost, figure),
        };
        Charge {
            model: model.to_owned(),
            tokens,
            cost,
            figure,
            request_id: usage.request_id.clone(),
            price_book: Some(self.parts.prices.version().to_owned()),
            parts: usage.parts.clone(),
            raw: usage.raw.clone(),
            // An agent's usage has a part for each of its requests.
            requests: match backend.kind.is_native() {
                true => 1,
                false => usage.parts.len() as u64,
            },
        }
    }

    /// The ledger row of a call that may have been billed: its worst case.
    pub(crate) fn unsettled(
        &self,
        call: &Call,
        reserve: NanoUsd,
        partial: Option<&agents::Usage>,
    ) -> Charge {
        self.unsettled_for(&call.model, reserve, partial)
    }

    pub(crate) fn unsettled_for(
        &self,
        model: &str,
        reserve: NanoUsd,
        partial: Option<&agents::Usage>,
    ) -> Charge {
        let parts = partial.map(|usage| usage.parts.clone()).unwrap_or_default();
        Charge {
            model: model.to_owned(),
            tokens: parts.iter().fold(domain::Tokens::default(), |sum, part| {
                sum.plus(&part.tokens)
            }),
            cost: Some(reserve),
            figure: Figure::Unsettled,
            request_id: partial.and_then(|usage| usage.request_id.clone()),
            price_book: Some(self.parts.prices.version().to_owned()),
            parts,
            raw: partial.map(|usage| usage.raw.clone()).unwrap_or_default(),
            requests: 1,
        }
    }
}
