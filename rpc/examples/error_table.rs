//! Prints the table of errors for `docs/ERRORS.md`.

fn main() {
    print!("{}", quorate_rpc::error_table());
}
