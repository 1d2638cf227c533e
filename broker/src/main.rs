//! The tickertape binary.
fn main() {}
