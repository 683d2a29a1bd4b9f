# SPDX-License-Identifier: MIT
"""The man page, the completions of shells, and the tables of docs/command.md."""

from curlwire.command.codes import EXIT_CODES
from curlwire.command.options import FLAG, OPTIONS, SECTIONS, VERBS, Option
from curlwire.command.report import VARIABLES

SHELLS = ("bash", "zsh", "fish")


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _roff_names(option: Option) -> str:
    names = ([f"-{option.short}"] if option.short else []) + [f"--{option.long}"]
    value = f" \\fI{_roff(option.value)}\\fR" if option.value else ""
    return ", ".join(f"\\fB{_roff(name)}\\fR" for name in names) + value


def _text(option: Option) -> str:
    words = f". One of: {', '.join(option.words)}" if option.words else ""
    variable = f". Without it, the variable {option.environment}" if option.environment else ""
    return f"{option.text}{words}{variable}."


def man_page(version: str) -> str:
    """Returns the man page, as roff."""
    parts = [
        f'.TH CURLWIRE 1 "" "curlwire {version}" "User Commands"\n.SH NAME\ncurlwire \\- curl for WebSockets\n',
        ".SH SYNOPSIS\n.B curlwire\n[\\fIOPTION\\fR...] \\fIURI\\fR\n.br\n.B curlwire\n\\fIVERB\\fR ...\n",
        ".SH DESCRIPTION\nEach line of stdin becomes a message, and each message a line of stdout.\n"
        "After the end of stdin the command receives until the server closes, \\-\\-count messages have come,\n"
        "or \\-\\-linger is over.\n"
        "Short options, and long ones that curl has, mean what they mean in curl.\n.SH VERBS\n",
    ]
    parts += [f".TP\n.B {verb}\n{_roff(text)}.\n" for verb, text in VERBS.items()]
    for section, options in SECTIONS.items():
        parts.append(f".SH OPTIONS: {section.upper()}\n")
        parts += [f".TP\n{_roff_names(option)}\n{_roff(_text(option))}\n" for option in options]
    parts.append(".SH EXIT STATUS\n")
    parts += [f".TP\n.B {code}\n{_roff(text)}\n" for code, text in EXIT_CODES.items()]
    parts.append(".SH VARIABLES OF \\-\\-WRITE\\-OUT\n")
    parts += [f".TP\n.B {_roff(name)}\n{_roff(text)}\n" for name, text in VARIABLES.items()]
    return "".join(parts)


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def _bash() -> str:
    names = " ".join(f"--{option.long}" for option in OPTIONS)
    words = "".join(f"    --{o.long}) words='{' '.join(o.words)}' ;;\n" for o in OPTIONS if o.words)
    files = "|".join(f"--{o.long}" for o in OPTIONS if "FILE" in o.value or o.value in ("PATH", "FOLDER"))
    return f"""_curlwire() {{
    local words='{names}' word=${{COMP_WORDS[COMP_CWORD]}}
    [ "$COMP_CWORD" = 1 ] && words="$words {" ".join(VERBS)}"
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
{words}    completion) words='{" ".join(SHELLS)}' ;;
    {files}|put|get) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _curlwire curlwire
"""


def _zsh() -> str:
    lines: list[str] = []
    for option in OPTIONS:
        text = _quoted(option.text).replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
        action = f"({' '.join(option.words)})" if option.words else "_files" if "FILE" in option.value else ""
        value = "" if option.kind == FLAG else f":{option.value.replace(':', ' ')}:{action}"
        names = [f"--{option.long}"] + ([f"-{option.short}"] if option.short else [])
        lines += [f"    '*{name}[{text}]{value}'" for name in names]
    return "#compdef curlwire\n_arguments \\\n" + " \\\n".join(lines) + " \\\n    '*:uri:_files'\n"


def _fish() -> str:
    lines = ["complete -c curlwire -f"]
    for option in OPTIONS:
        short = f" -s {option.short}" if option.short else ""
        value = "" if option.kind == FLAG else " -r"
        value += f" -a '{' '.join(option.words)}'" if option.words else " -F" if "FILE" in option.value else ""
        lines.append(f"complete -c curlwire{short} -l {option.long}{value} -d '{_quoted(option.text)}'")
    lines += [
        f"complete -c curlwire -n __fish_use_subcommand -a {verb} -d '{_quoted(text)}'"
        for verb, text in VERBS.items()
    ]
    return "\n".join(lines) + "\n"


def completion(shell: str) -> str:
    """Returns the completion for a shell of SHELLS."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def tables() -> str:
    """Returns the tables of docs/command.md, as Markdown. A test compares them."""
    parts: list[str] = []
    for section, options in SECTIONS.items():
        parts.append(f"### {section}\n\n| option | what it does |\n| --- | --- |\n")
        for option in options:
            short = f"`-{option.short}`, " if option.short else ""
            value = f" {option.value}" if option.value else ""
            name = f"{short}`--{option.long}{value}`".replace("|", "\\|")
            parts.append(f"| {name} | {_text(option)} |\n")
        parts.append("\n")
    parts.append("## Exit codes\n\n| code | meaning |\n| --- | --- |\n")
    parts += [f"| {code} | {text} |\n" for code, text in EXIT_CODES.items()]
    parts.append("\n## Variables of `--write-out`\n\n| variable | what it is |\n| --- | --- |\n")
    parts += [f"| `{name}` | {text} |\n" for name, text in VARIABLES.items()]
    return "".join(parts)
