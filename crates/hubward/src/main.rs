//! The program; what it does is in the library, where fuzz targets reach it too.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hubward::main()
}
