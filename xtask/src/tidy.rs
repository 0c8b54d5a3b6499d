//! What the compiler does not check: which crate may lead to which, and that files are as STYLE.md wants them.

mod arrows;
mod compatibility;
mod files;

/// Checks everything, and lists everything that is wrong.
pub(crate) fn tidy() -> Result<(), String> {
    let mut wrong = Vec::new();
    arrows::check(&mut wrong)?;
    files::check(&mut wrong)?;
    compatibility::check(&mut wrong)?;
    if wrong.is_empty() {
        println!("tidy: nothing to complain of");
        return Ok(());
    }
    Err(format!("tidy:\n  {}", wrong.join("\n  ")))
}
