//! Good and bad configurations, and taking keys out of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::Duration;

use super::{Block, MAX_SIZE, expand_env, parse};

const SERVER: &str = include_str!("tests/server.conf");
const SERVER_JSON: &str = include_str!("tests/server.json");
const AGENT: &str = include_str!("tests/agent.conf");

fn read(text: &str) -> Block {
    parse(text, "t.conf").unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn section(file: &mut Block, name: &'static str) -> Block {
    file.take_block(name).unwrap().unwrap()
}

/// Texts for a key `a`, and what it is as a string.
const GOOD: &[(&str, &str)] = &[
    ("a = \"x\"", "x"),
    ("a=\"x\"", "x"),
    ("\"a\" = \"x\"", "x"),
    ("\u{feff}a = \"x\"", "x"),
    ("a = \"x\",", "x"),
    ("# one\n// two\n/* three\n * four */ a = \"x\" # five", "x"),
    ("a = /* here */ \"x\"", "x"),
    ("a\n=\n\"x\"", "x"),
    ("b = 1 a = \"x\" c = 2", "x"),
    ("b {} a = \"x\" c {}", "x"),
    ("b { c = 1, d { e = 2 }, }, a = \"x\"", "x"),
    (r#"a = "q\" b\\ n\n t\t s\/ \x41 \u00e9 \U0001f600""#, "q\" b\\ n\n t\t s/ A é 😀"),
    ("a = \"# not // a /* comment\"", "# not // a /* comment"),
    ("a = \"${NOT_EXPANDED} here\"", "${NOT_EXPANDED} here"),
    (r#"a = "x${f("y", { z = "\q" })}\ty" b = 1"#, "x${f(\"y\", { z = \"\\q\" })}\ty"),
    ("a = \"${\n}\"", "${\n}"),
    (r#"a = "\x24{ $$ $""#, "${ $$ $"),
    (r#"a = "\101\060 \a\f\v'""#, "A0 \u{7}\u{c}\u{b}'"),
    ("a = \"\"", ""),
    ("a = 7", "7"),
    ("a = -7", "-7"),
    ("a = 0x1F", "0x1F"),
    ("a = 0644", "0644"),
    ("a = -0", "-0"),
    ("a = 1.5", "1.5"),
    ("a = -.5", "-.5"),
    ("a = 08.5", "08.5"),
    ("a = 1E+3", "1E+3"),
    ("a = 1e-3", "1e-3"),
    ("a = <<EOF\none\n  two\nEOF\n", "one\n  two\n"),
    ("a = <<EOF\r\none\r\nEOF", "one\r\n"),
    ("a = <<EOF\nEOF", ""),
    ("a = <<-EOF\n    one\n\n      two\n    EOF\nb = 1", "one\n\n  two\n"),
    ("a = <<-EOF\n  one\n    EOF", "  one\n"),
    ("a = <<EOF\n\"${ # // /*\nEOF\nb = 1", "\"${ # // /*\n"),
    ("b = [<<EOF\none\nEOF\n, \"two\"] a = \"x\"", "x"),
    ("b = { \"c\" = { d = 1 }, \"e f\" = [] } a = \"x\"", "x"),
    ("b = [{ c = 1 d = 2 }, { c = 3 }, [[]],] a = \"x\"", "x"),
    ("b \"c d\" \"e\" {} b \"c d\" \"f\" {} a = \"x\"", "x"),
    ("bé-1.x = 1 \"b c\" = 2 a = \"x\"", "x"),
    ("# a = 1\r\na = \"x\"\r\n/**/", "x"),
    ("{\"a\": \"${x\"}", "${x"),
    ("{\"a\": \"x\"}", "x"),
    (" \n{\"b\": [1, {}], \"a\": \"x\",}", "x"),
    (r#"{"a": "\ud83d\ude00 \b"}"#, "😀 \u{8}"),
];

#[test]
fn good_texts_are_read() {
    for (text, expected) in GOOD {
        assert_eq!(read(text).take::<String>("a").unwrap().as_deref(), Some(*expected), "{text:?}");
    }
}

/// One rule broken each, and where and how the error tells it.
const BAD: &[(&str, &str)] = &[
    ("a", "1:2: expected `=` or `{` after `a`, found the end of the file"),
    ("a : 1", "1:3: expected `=` or `{` after `a`, found `:`"),
    ("a =", "1:4: expected a value, found the end of the file"),
    ("a = = 1", "1:5: expected a value, found `=`"),
    ("= 1", "1:1: expected a key, found `=`"),
    ("1 = 1", "1:1: expected a key, found `1`"),
    ("a = x", "1:5: `x` is no value: put text into quotes"),
    ("a = 1h", "1:5: `1h` is no number: put text into quotes"),
    ("a = 1.2.3.4", "1:5: `1.2.3.4` is no number: put text into quotes"),
    ("a = -", "1:5: `-` is no number: put text into quotes"),
    ("a = 0x", "1:5: `0x` is no number: put text into quotes"),
    ("a = 1_000", "1:5: `1_000` is no number: put text into quotes"),
    ("a = .", "1:5: `.` is no number: put text into quotes"),
    ("a = +1", "1:5: unexpected character `+`"),
    ("a = 1e999", "1:5: `1e999` is no number: put text into quotes"),
    ("a = 0855", "1:5: `0855` is no octal number: leave out the leading zero"),
    ("a = \"x ${y\"", "1:8: the ${ in this string is not closed: end it with }, or write \\x24 for the $"),
    (r#"a = "\18""#, "1:6: the escape needs 3 octal digits"),
    (r#"a = "\xg0""#, "1:6: the escape needs 2 hexadecimal digits"),
    (r#"a = "x\"#, "1:7: the string is not closed: end it with \""),
    ("a = 'x'", "1:5: unexpected character `\\'`"),
    ("a = 1;", "1:6: unexpected character `;`"),
    ("a = \0", "1:5: unexpected character `\\0`"),
    ("a = 1\nb = \"x", "2:5: the string is not closed: end it with \" on the same line"),
    ("a = \"x\n\"", "1:5: the string is not closed: end it with \" on the same line"),
    (r#"a = "é\q""#, "1:7: unknown escape `\\q`: write \\\\ for a backslash"),
    (r#"a = "\u12""#, "1:6: the escape needs 4 hexadecimal digits"),
    (r#"a = "\ud800""#, "1:6: the escape names no character: d800"),
    ("a = [1 2]", "1:8: expected `,` or `]` after a value of the list, found `2`"),
    ("a = [1", "1:7: expected `,` or `]` after a value of the list, found the end of the file"),
    ("a = [,]", "1:6: expected a value, found `,`"),
    ("a {", "1:4: expected a key, found the end of the file"),
    ("a { b = 1 ] }", "1:11: expected a key, found `]`"),
    ("a }", "1:3: expected `=` or `{` after `a`, found `}`"),
    ("}", "1:1: expected a key, found `}`"),
    ("a = 1,, b = 2", "1:7: expected a key, found `,`"),
    ("a \"b\" = 1", "1:9: expected `{` after `a \"b\"`"),
    ("a b c = 1", "1:9: expected `{` after `b \"c\"`"),
    ("a { } }", "1:7: expected a key, found `}`"),
    ("a = { b 1 }", "1:9: expected `=` or `{` after `b`, found `1`"),
    ("a = <<EOF x\nEOF", "1:5: the heredoc has no marker: write <<EOF and begin a new line"),
    ("a /* b", "1:3: the comment is not closed: end it with */"),
    ("a / b", "1:3: unexpected character `/`: a comment begins with // or /*"),
    ("a = <EOF", "1:5: unexpected character `<`: a heredoc begins with <<EOF"),
    ("a = <<\nx\n", "1:5: the heredoc has no marker: write <<EOF and begin a new line"),
    ("a = <<EOF\nx\n", "1:5: the heredoc is not closed: end it with a line that says only EOF"),
    ("{\"a\": 1} b", "1:10: expected the end of the file after the closing `}`, found `b`"),
    ("{\"a\" = 1}", "1:6: expected `:` after \"a\", found `=`"),
    ("{a: 1}", "1:2: expected a key in quotes, found `a`"),
    ("{\"a\": 1 \"b\": 2}", "1:9: expected `,` or `}`, found a string"),
    ("{\"a\": [1 2]}", "1:10: expected `,` or `]`, found `2`"),
    ("{\"a\": nil}", "1:7: `nil` is no value: put text into quotes"),
    ("{\"a\": 1", "1:8: expected `,` or `}`, found the end of the file"),
];

#[test]
fn bad_texts_are_refused_by_line_and_column() {
    for (text, expected) in BAD {
        let error = parse(text, "t.conf").expect_err(text).to_string();
        assert_eq!(error, format!("t.conf:{expected}"), "{text:?}");
    }
}

#[test]
fn depth_and_size_are_limited_however_they_are_reached() {
    for deep in ["a {", "a = [", "a \"b\" {", "a ", "\"a\" ", "{\"a\":"] {
        let list = if deep == "a = [" { format!("a = {}", "[".repeat(5000)) } else { deep.repeat(5000) };
        let error = parse(&list, "t.conf").unwrap_err().to_string();
        assert!(error.ends_with("nested deeper than 32 levels"), "{deep}: {error}");
    }
    assert!(parse(&("a {".repeat(31) + &"}".repeat(31)), "t.conf").is_ok());
    let long = format!("a = \"{}\"", "x".repeat(MAX_SIZE));
    let error = parse(&long, "t.conf").unwrap_err().to_string();
    assert_eq!(error, "t.conf:1:1: a configuration has at most 1048576 bytes, this has 1048582");
}

#[test]
fn full_server_configuration_is_taken_key_by_key() {
    let mut file = read(SERVER);
    let mut server = section(&mut file, "server");
    assert_eq!(server.take::<u16>("bind_port").unwrap(), Some(8081));
    assert_eq!(server.take::<PathBuf>("data_dir").unwrap(), Some("/var/lib/spire/server".into()));
    assert_eq!(server.take("default_x509_svid_ttl").unwrap(), Some(Duration::from_secs(3600)));
    assert_eq!(server.take::<bool>("audit_log_enabled").unwrap(), Some(true));
    assert_eq!(server.take::<usize>("prune_attested_nodes_batch_size").unwrap(), Some(1000));
    let admins: Vec<String> = server.take("admin_ids").unwrap().unwrap();
    assert_eq!(admins, ["spiffe://example.org/ops", "spiffe://partner.test/ops"]);
    let mut limits = section(&mut server, "ratelimit");
    assert_eq!(limits.take::<bool>("attestation").unwrap(), Some(true));
    assert_eq!(limits.take::<bool>("signing").unwrap(), Some(false));
    limits.finish().unwrap();
    let mut federation = section(&mut server, "federation");
    let partners = federation.take_labelled("federates_with").unwrap();
    assert_eq!(
        partners.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(),
        ["partner.test", "other.test"]
    );
    let mut endpoint = section(&mut federation, "bundle_endpoint");
    let (profile, mut web) = endpoint.take_labelled("profile").unwrap().pop().unwrap();
    assert_eq!(profile, "https_web");
    assert_eq!(section(&mut web, "acme").take::<bool>("tos_accepted").unwrap(), Some(true));
    let mut plugins = section(&mut file, "plugins");
    let attestors = plugins.take_labelled("NodeAttestor").unwrap();
    assert_eq!(
        attestors.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(),
        ["join_token", "x509pop"]
    );
    let mut upstream = plugins.take_labelled("UpstreamAuthority").unwrap();
    let note: String = section(&mut upstream[0].1, "plugin_data").take("note").unwrap().unwrap();
    assert_eq!(note, "two lines,\n  the second indented\n");
    let mut telemetry = section(&mut file, "telemetry");
    assert_eq!(telemetry.take_blocks("DogStatsd").unwrap().len(), 2);
    assert_eq!(file.remaining().collect::<Vec<_>>(), ["health_checks"]);
}

#[test]
fn full_agent_configuration_is_taken_key_by_key() {
    let mut file = read(AGENT);
    let mut agent = section(&mut file, "agent");
    assert_eq!(agent.take::<u32>("x509_svid_cache_max_size").unwrap(), Some(1024));
    assert_eq!(section(&mut agent, "sds").remaining().count(), 2);
    let mut unix = section(&mut file, "plugins").take_labelled("WorkloadAttestor").unwrap();
    let mut data = section(&mut unix[0].1, "plugin_data");
    assert_eq!(data.take::<i64>("workload_size_limit").unwrap(), Some(-1));
    assert_eq!(data.take::<bool>("discover_workload_path").unwrap(), Some(true));
    data.finish().unwrap();
}

#[test]
fn json_form_says_the_same() {
    let mut file = read(SERVER_JSON);
    let mut server = section(&mut file, "server");
    assert_eq!(server.take::<u16>("bind_port").unwrap(), Some(8081));
    let mut partners = section(&mut server, "federation").take_labelled("federates_with").unwrap();
    assert_eq!(partners[0].1.take_labelled("bundle_endpoint_profile").unwrap()[0].0, "https_web");
    let mut plugins = section(&mut file, "plugins");
    let attestors = plugins.take_labelled("NodeAttestor").unwrap();
    assert_eq!(
        attestors.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(),
        ["join_token", "x509pop"]
    );
    let mut managers = plugins.take_labelled("KeyManager").unwrap();
    assert!(managers[0].1.take_block("plugin_data").unwrap().is_none(), "null is absent");
    plugins.finish().unwrap();
    file.finish().unwrap();
}

#[test]
fn labels_nest_as_blocks_do() {
    for text in [
        "a \"b\" \"c\" { d = 1 }",
        "a b c { d = 1 }",
        "a { b { c { d = 1 } } }",
        "a = { b = { c = { d = 1 } } }",
    ] {
        let (label, mut outer) = read(text).take_labelled("a").unwrap().pop().unwrap();
        assert_eq!(label, "b", "{text}");
        assert_eq!(section(&mut outer, "c").take::<u8>("d").unwrap(), Some(1), "{text}");
    }
}

#[test]
fn every_unknown_key_is_named_with_the_nearest_known_one() {
    let mut file = read("server {\n  bind_port = 1\n\n  trust_domian = \"x\"\n  frobnicate {}\n}\nplugin {}");
    let mut server = section(&mut file, "server");
    for key in ["bind_port", "trust_domain"] {
        server.take::<String>(key).unwrap();
    }
    let expected = "t.conf:4:3: unknown key \"trust_domian\" in server (did you mean \"trust_domain\"?)\n\
                    t.conf:5:3: unknown key \"frobnicate\" in server: remove it, or check the spelling";
    assert_eq!(server.finish().unwrap_err().to_string(), expected);
    file.take_block("plugins").unwrap();
    let expected = "t.conf:7:1: unknown key \"plugin\" at the top level (did you mean \"plugins\"?)";
    assert_eq!(file.finish().unwrap_err().to_string(), expected);
    let (_, join_token) = read("p \"join_token\" {\n x = 1 }").take_labelled("p").unwrap().pop().unwrap();
    let error = join_token.finish().unwrap_err().to_string();
    assert_eq!(error, "t.conf:2:2: unknown key \"x\" in p \"join_token\": remove it, or check the spelling");
}

#[test]
fn values_of_the_wrong_type_are_refused_with_what_is_expected() {
    let text = "port = \"eighty\"\nbig = 65536\nhalf = 1.5\noctal = \"0844\"\n\
                flag = \"yes\"\nttl = 60\nlist = [1, {}]\nblock = 1\npath = \"\"";
    let mut file = read(text);
    let errors = [
        file.take::<u16>("port").unwrap_err(),
        file.take::<u16>("big").unwrap_err(),
        file.take::<i32>("half").unwrap_err(),
        file.take::<u32>("octal").unwrap_err(),
        file.take::<bool>("flag").unwrap_err(),
        file.take::<Duration>("ttl").unwrap_err(),
        file.take::<Vec<String>>("list").unwrap_err(),
        file.take_block("block").unwrap_err(),
        file.take::<PathBuf>("path").unwrap_err(),
    ];
    let expected = [
        "1:8: port must be a whole number from 0 to 65535, not `eighty`",
        "2:7: big must be a whole number from 0 to 65535, not 65536",
        "3:8: half must be a whole number from -2147483648 to 2147483647, not 1.5",
        "4:9: octal must be a whole number from 0 to 4294967295, not `0844`",
        "5:8: flag must be true or false, not `yes`",
        "6:7: ttl must be a duration in quotes, such as \"90s\" or \"1h30m\", not 60",
        "7:8: list must be a list [ ], each item a text in quotes, not a list",
        "8:1: block must be a block { }, not 1",
        "9:8: path must be a path in quotes, not ``",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        assert_eq!(error.to_string(), format!("t.conf:{expected}"));
    }
}

#[test]
fn whole_numbers_are_read_in_every_notation() {
    for (text, expected) in [
        ("7", 7),
        ("\"7\"", 7),
        ("0", 0),
        ("-0", 0),
        ("0x1f", 31),
        ("\"0X1F\"", 31),
        ("-0x10", -16),
        ("0644", 420),
        ("\"-0010\"", -8),
    ] {
        assert_eq!(read(&format!("a = {text}")).take::<i64>("a").unwrap(), Some(expected), "{text}");
    }
    assert_eq!(read("a = 18446744073709551615").take::<u64>("a").unwrap(), Some(u64::MAX));
    for bad in ["+7", "0x-7", "0x", "-", "--7", "07.0", "1e3", " 7", ""] {
        assert!(read(&format!("a = \"{bad}\"")).take::<i64>("a").is_err(), "{bad}");
    }
}

#[test]
fn empty_text_counts_as_none_where_the_ancestor_takes_it_so() {
    let taken = |text: &str| read(text).take_unless_empty::<PathBuf>("a").map_err(|error| error.to_string());
    assert_eq!(taken("a = \"\""), Ok(None));
    assert_eq!(taken("b = 1"), Ok(None));
    assert_eq!(taken("a = \"/x\""), Ok(Some("/x".into())));
    assert_eq!(taken("a = []"), Err("t.conf:1:5: a must be a path in quotes, not a list".to_owned()));
    assert!(taken("a = \"\"\na = \"\"").unwrap_err().contains("appears twice"));
    let mut block = read("a = \"\"");
    block.take_unless_empty::<PathBuf>("a").unwrap();
    block.finish().unwrap();
}

#[test]
fn truth_is_written_in_more_than_one_way() {
    for (text, expected) in [
        ("true", Some(true)),
        ("\"TRUE\"", Some(true)),
        ("1", Some(true)),
        ("\"0\"", Some(false)),
        ("\"False\"", Some(false)),
        ("2", None),
        ("\"yes\"", None),
        ("\"\"", None),
    ] {
        assert_eq!(read(&format!("a = {text}")).take::<bool>("a").ok().flatten(), expected, "{text}");
    }
}

#[test]
fn keys_and_labels_that_appear_twice_are_refused() {
    let twice = |text: &str| read(text).take::<u8>("a").unwrap_err().to_string();
    assert_eq!(twice("a = 1\na = 2"), "t.conf:2:1: `a` appears twice, first at 1:1: keep one of the lines");
    let blocks = read("a {}\na {}").take_block("a").unwrap_err().to_string();
    assert_eq!(blocks, "t.conf:2:1: `a` appears twice, first at 1:1: keep one of the blocks");
    let labels = read("a \"b\" {}\na \"b\" {}").take_labelled("a").unwrap_err().to_string();
    assert_eq!(labels, "t.conf:2:3: `a \"b\"` appears twice, first at 1:3: keep one of the blocks");
}

#[test]
fn parser_of_the_type_has_the_last_word() {
    let mut file = read("good = \"127.0.0.1\"\nbad = \"localhost\"\nlist = [\"::1\",\n  \"x\"]");
    assert_eq!(file.take_parsed("good").unwrap(), Some(std::net::IpAddr::from([127, 0, 0, 1])));
    assert_eq!(file.take_parsed::<std::net::IpAddr>("absent").unwrap(), None);
    let error = file.take_parsed::<std::net::IpAddr>("bad").unwrap_err().to_string();
    assert_eq!(error, "t.conf:2:7: bad: invalid IP address syntax");
    let error = file.take_parsed_list::<std::net::IpAddr>("list").unwrap_err().to_string();
    assert_eq!(error, "t.conf:4:3: list: invalid IP address syntax");
    assert_eq!(file.error_at("good", "is not ours").to_string(), "t.conf:1:1: is not ours");
}

#[test]
fn secrets_do_not_appear_in_debug_output() {
    assert_eq!(format!("{:?}", read("join_token = \"s3cret\"")), "[\"join_token\"]");
}

#[test]
fn environment_is_expanded_as_the_shell_would() {
    let lookup = |name: &str| match name {
        "NAME" => Some("value".to_owned()),
        "A_1" => Some("$NAME".to_owned()),
        _ => None,
    };
    for (text, expected) in [
        ("", ""),
        ("no variables", "no variables"),
        ("$NAME", "value"),
        ("${NAME}s", "values"),
        ("$NAME.x/$NAME", "value.x/value"),
        ("$A_1", "$NAME"),
        ("$$NAME costs $$5", "$NAME costs $5"),
        ("[$UNKNOWN][${UNKNOWN}]", "[][]"),
        ("$5 $", " $"),
        ("$?$*$#$@$!$-$12", "2"),
        ("a $ b $. c", "a $ b $. c"),
        ("[${}][${$}][${NAME", "[][$][NAME"),
        ("${NAME OF} ${NAME}}", " value}"),
        ("é$NAME€", "évalue€"),
    ] {
        assert_eq!(expand_env(text, lookup), expected, "{text}");
    }
}

/// Not a fuzz target, but cheap: no cut and no exchanged byte of a real file may do harm.
#[test]
fn mangled_files_are_refused_or_read_but_never_panic() {
    for text in [SERVER, SERVER_JSON, AGENT] {
        for cut in (0..text.len()).step_by(5) {
            let _ = parse(&text[..cut], "t.conf");
            for odd in ["\"", "{", "}", "=", "<<", "\\", "/*", "\0", "é"] {
                let _ = parse(&format!("{}{odd}{}", &text[..cut], &text[cut + 1..]), "t.conf");
            }
        }
    }
}

#[test]
fn renamed_key_counts_as_the_new_one_and_both_are_refused() {
    let mut block = parse("certDir = \"a\"\nother = 1", "f").unwrap();
    assert_eq!(block.rename("certDir", "cert_dir"), Ok(true));
    assert_eq!(block.rename("renewSignal", "renew_signal"), Ok(false));
    assert_eq!(block.take::<String>("cert_dir").unwrap().as_deref(), Some("a"));

    let mut both = parse("cert_dir = \"a\"\ncertDir = \"a\"", "f").unwrap();
    assert_eq!(
        both.rename("certDir", "cert_dir").unwrap_err().to_string(),
        "f:2:1: use of certDir and cert_dir found, use only cert_dir"
    );
}

#[test]
fn unknown_keys_are_told_in_the_words_of_an_ancestor() {
    let mut block = parse("cert_dri = \"a\"\nzzz = 1", "f").unwrap();
    block.take::<String>("cert_dir").unwrap();
    assert_eq!(
        block.finish_as("unknown top level key(s)").unwrap_err().to_string(),
        "f:1:1: unknown top level key(s): cert_dri (did you mean \"cert_dir\"?)\n\
         f:2:1: unknown top level key(s): zzz: remove it, or check the spelling"
    );
}
