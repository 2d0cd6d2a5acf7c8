//! Where the machine's power comes from. The files and their words:
//! <https://docs.kernel.org/power/power_supply_class.html>.

use std::path::Path;

/// What the kernel says of one power supply; empty where it says nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Supply {
    /// `Battery`, `Mains`, `USB`, `UPS` …
    pub(super) kind: String,
    /// Of a charger: `0` when it gives nothing.
    pub(super) online: String,
    /// Of a battery: `Charging`, `Discharging`, `Full` …
    pub(super) status: String,
    /// `Device` when it feeds a mouse or a headset, not the machine.
    pub(super) scope: String,
}

/// All supplies in a folder such as `/sys/class/power_supply`; none without it.
pub(super) fn supplies(folder: &Path) -> Vec<Supply> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let supply = |folder: &Path| {
        let read = |name: &str| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            text.trim().to_owned()
        };
        Supply {
            kind: read("type"),
            online: read("online"),
            status: read("status"),
            scope: read("scope"),
        }
    };
    let entries = entries.flatten();
    entries.map(|entry| supply(&entry.path())).collect()
}

/// Whether the machine runs on mains power: a charger gives some, or no battery is
/// being emptied, as where there is none.
pub(super) fn on_mains(supplies: &[Supply]) -> bool {
    let of_the_machine = || supplies.iter().filter(|supply| supply.scope != "Device");
    let stores = |supply: &Supply| matches!(supply.kind.as_str(), "Battery" | "UPS");
    let charger = |supply: &Supply| !stores(supply) && !matches!(supply.online.as_str(), "" | "0");
    of_the_machine().any(charger)
        || !of_the_machine().any(|supply| stores(supply) && supply.status == "Discharging")
}
