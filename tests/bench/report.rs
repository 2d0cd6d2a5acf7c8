//! What was measured, as a table for people and as JSON lines for programs.

use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// This or less.
    AtMost(f64),
    /// Exactly this.
    Exactly(f64),
    /// For comparison only.
    Open,
}

impl Target {
    fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(limit) => Some(value <= limit),
            Self::Exactly(wanted) => Some(value == wanted),
            Self::Open => None,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtMost(limit) => format!("<= {}", short(limit)),
            Self::Exactly(wanted) => format!("= {}", short(wanted)),
            Self::Open => "-".to_owned(),
        }
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) target: Target,
    /// How it was measured, and what stands beside it.
    pub(crate) note: String,
}

impl Figure {
    fn verdict(&self) -> &'static str {
        match self.target.is_met(self.value) {
            Some(true) => "pass",
            Some(false) => "MISS",
            None => "",
        }
    }

    fn json(&self) -> Value {
        json!({
            "figure": self.name, "value": self.value, "unit": self.unit,
            "target": self.target.words(), "verdict": self.verdict(), "note": self.note,
        })
    }
}

/// All figures of this run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    machine: Vec<(&'static str, String)>,
    figures: Vec<Figure>,
    /// What could not be measured, and why.
    gaps: Vec<(String, String)>,
    /// What was left out by necessity.
    skipped: Vec<String>,
}

impl Report {
    /// An empty one, of this machine.
    pub(crate) fn on(machine: Vec<(&'static str, String)>) -> Self {
        for (name, value) in &machine {
            eprintln!("{name:<22} {value}");
        }
        Self {
            machine,
            ..Self::default()
        }
    }

    /// Adds a figure and says it at once.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        (value, unit): (f64, &'static str),
        target: Target,
        note: impl Into<String>,
    ) {
        let figure = Figure {
            name: name.into(),
            value,
            unit,
            target,
            note: note.into(),
        };
        eprintln!(
            "   {:<52} {:>10} {:<10} {:<9} {} {}",
            figure.name,
            short(value),
            unit,
            target.words(),
            figure.verdict(),
            figure.note
        );
        self.figures.push(figure);
    }

    pub(crate) fn broken(&mut self, name: &str, error: &anyhow::Error) {
        self.gaps.push((name.to_owned(), format!("{error:#}")));
    }

    pub(crate) fn skip(&mut self, why: String) {
        eprintln!("   SKIPPED: {why}");
        self.skipped.push(why);
    }

    /// Whether everything asked for was measured.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps.is_empty()
    }

    pub(crate) fn print(&self) {
        println!();
        for (name, value) in &self.machine {
            println!("{name:<22} {value}");
        }
        println!();
        println!(
            "{:<52} {:>10} {:<10} {:<9} {:<5} note",
            "figure", "value", "unit", "target", ""
        );
        for figure in &self.figures {
            println!(
                "{:<52} {:>10} {:<10} {:<9} {:<5} {}",
                figure.name,
                short(figure.value),
                figure.unit,
                figure.target.words(),
                figure.verdict(),
                figure.note
            );
        }
        for why in &self.skipped {
            println!("SKIPPED: {why}");
        }
        for (name, why) in &self.gaps {
            println!("NOT MEASURED: {name}: {why}");
        }
        println!();
        let machine: serde_json::Map<String, Value> = self
            .machine
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        println!("{}", json!({ "machine": machine }));
        for figure in &self.figures {
            println!("{}", figure.json());
        }
    }
}

/// Four digits are more than any of this is good for.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        v if v == v.trunc() => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
