//! Two bars for each figure, the original's and ours, as SVG.

use std::fmt::Write as _;

/// Two figures that are compared.
pub(super) struct Pair {
    pub(super) title: String,
    pub(super) theirs: f64,
    pub(super) ours: f64,
}

const WIDTH: f64 = 720.0;
const BAR: f64 = 18.0;
const PAIR: f64 = 78.0;
const LEFT: f64 = 90.0;
/// Room for the number behind the longest bar.
const RIGHT: f64 = 80.0;

/// Each pair has a scale of its own: what counts is how the two relate.
pub(super) fn draw(original: &str, pairs: &[Pair]) -> String {
    let height = PAIR * pairs.len() as f64 + 16.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (index, pair) in pairs.iter().enumerate() {
        let top = 8.0 + PAIR * index as f64;
        text(&mut svg, 8.0, top + 16.0, "#1f2328", &pair.title);
        let scale = (WIDTH - LEFT - RIGHT) / pair.theirs.max(pair.ours).max(f64::MIN_POSITIVE);
        let bars = [(original, pair.theirs, "#8c959f"), ("Quorate", pair.ours, "#1a7f37")];
        for (row, (name, value, colour)) in bars.into_iter().enumerate() {
            let y = top + 24.0 + row as f64 * (BAR + 3.0);
            let width = value * scale;
            text(&mut svg, 8.0, y + 14.0, "#59636e", name);
            writeln!(svg, "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>")
                .expect("a string takes everything");
            text(&mut svg, LEFT + width + 6.0, y + 14.0, "#1f2328", &super::page::round(value));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, x: f64, y: f64, colour: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{text}</text>").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_bar_fills_its_row_and_the_other_is_in_proportion() {
        let svg = draw("Java 3.9.3", &[Pair { title: "a < b".to_owned(), theirs: 200.0, ours: 50.0 }]);
        assert!(svg.contains("width=\"550.0\"") && svg.contains("width=\"137.5\""), "{svg}");
        assert!(svg.contains("a &lt; b"), "{svg}");
    }
}
