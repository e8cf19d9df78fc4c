//! The program as tests make it fail: `supervise/injection.rs`. It exists with the feature
//! `fault-injection` only, in builds without optimisation only, and is not installed.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hubward::main()
}
