//! Trees drawn with lines.

/// A node with the lines to print for it; only the first line carries the node's own branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Branch<T> {
    pub(crate) item: T,
    pub(crate) children: Vec<Branch<T>>,
}

/// Every node with its drawing, top down.
pub(crate) fn flatten<T>(roots: &[Branch<T>]) -> Vec<(String, &T)> {
    let mut lines = Vec::new();
    for root in roots {
        lines.push((String::new(), &root.item));
        walk(&root.children, "", &mut lines);
    }
    lines
}

fn walk<'a, T>(children: &'a [Branch<T>], indent: &str, lines: &mut Vec<(String, &'a T)>) {
    for (i, child) in children.iter().enumerate() {
        let last = i + 1 == children.len();
        lines.push((format!("{indent}{}", if last { "└─" } else { "├─" }), &child.item));
        walk(&child.children, &format!("{indent}{}", if last { "  " } else { "│ " }), lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(item: &'static str, children: Vec<Branch<&'static str>>) -> Branch<&'static str> {
        Branch { item, children }
    }

    #[test]
    fn lines() {
        let tree = branch("root", vec![branch("a", vec![branch("b", vec![])]), branch("c", vec![branch("d", vec![])])]);
        let lines: Vec<_> = flatten(&[tree]).into_iter().map(|(drawing, item)| format!("{drawing}{item}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        root
        ├─a
        │ └─b
        └─c
          └─d
        ");
    }
}
