use super::tests_in;

#[test]
fn tests_are_told_from_other_functions() {
    let source =
        "#[test]\nfn one() {}\nfn other() {}\n#[tokio::test(flavor = \"x\")]\n// why\nasync fn two() {}";
    assert_eq!(tests_in(source), ["one", "two"]);
}
