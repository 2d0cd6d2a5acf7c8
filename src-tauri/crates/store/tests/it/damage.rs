//! Damage of every kind, and who notices.
