//! What the store says about partition logs: the key scheme and values of the tree `log`.
