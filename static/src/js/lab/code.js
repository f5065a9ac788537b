// The code editor: CodeMirror 6 with Python and the names of our API. It stands in a shadow root, where its styles are
// constructed sheets, which a strict CSP allows.

import { autocompletion, closeBrackets, closeBracketsKeymap, completeFromList, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python, pythonLanguage } from "@codemirror/lang-python";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

// Colours are CSS variables, so that the theme changes with the page.
const look = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface-1)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-code)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--surface-1)", color: "var(--text-muted)", border: "0" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--surface-3) 45%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--surface-2)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
  ".cm-selectionMatch": { backgroundColor: "var(--surface-3)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--surface-3)", outline: "1px solid var(--border-strong)" },
  ".cm-tooltip": { backgroundColor: "var(--surface-2)", color: "var(--text)", border: "1px solid var(--border-strong)", borderRadius: "6px" },
  ".cm-tooltip-autocomplete ul": { fontFamily: "var(--font-code)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-fill)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "var(--text-muted)", fontStyle: "normal" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-panels": { backgroundColor: "var(--surface-2)", color: "var(--text)" },
  ".cm-textfield": { backgroundColor: "var(--surface-0)", color: "var(--text)", border: "1px solid var(--border-strong)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--surface-3)", color: "var(--text)" },
  // The library draws these with data: images, which the CSP refuses.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--down)", textUnderlineOffset: "3px" },
  ".cm-lint-marker-error": { content: "none", width: "9px", height: "9px", marginTop: "6px", borderRadius: "50%", backgroundColor: "var(--down)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--down)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--line-5)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--line-2)" },
  { tag: [tags.comment, tags.docString], color: "var(--text-muted)", fontStyle: "italic" },
  { tag: [tags.definition(tags.className), tags.className], color: "var(--line-3)" },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.function(tags.variableName)], color: "var(--line-3)" },
  { tag: tags.self, color: "var(--line-4)" },
]);

/** What may be typed after "indicators.", "ctx.", "bars.", "p." and on its own. */
function names(offered, parameters) {
  return (context) => {
    const lists = offered();
    const dotted = context.matchBefore(/(indicators|ctx|bars|p)\.\w*/);
    if (!dotted) return lists.top ? completeFromList(lists.top)(context) : null;
    const of = dotted.text.split(".")[0];
    const options = of === "p" ? parameters() : lists[of];
    return options?.length ? { from: dotted.from + of.length + 1, options, validFor: /^\w*$/ } : null;
  };
}

export class CodeEditor {
  #listeners = [];

  /** `keys` are {key, run} of the page, as {"Mod-s": …}. */
  constructor(container, { source, label, keys }) {
    this.parameters = [];
    this.completions = {}; // lists by what they follow: top, indicators, ctx, bars
    const shadow = container.attachShadow({ mode: "open" });
    const offered = names(() => this.completions, () => this.parameters);
    this.view = new EditorView({
      root: shadow,
      parent: shadow,
      state: EditorState.create({
        doc: source,
        extensions: [
          lineNumbers(), highlightActiveLineGutter(), history(), drawSelection(), indentUnit.of("    "), indentOnInput(), bracketMatching(),
          closeBrackets(), autocompletion({ icons: false }), highlightActiveLine(), highlightSelectionMatches(), lintGutter(),
          python(), pythonLanguage.data.of({ autocomplete: offered }), syntaxHighlighting(colours), look,
          EditorView.contentAttributes.of({ "aria-label": label }),
          keymap.of([
            ...Object.entries(keys).map(([key, run]) => ({ key, preventDefault: true, run: () => (run(), true) })),
            ...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...searchKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab,
          ]),
          EditorView.updateListener.of((update) => update.docChanged && this.#listeners.forEach((listener) => listener())),
        ],
      }),
    });
  }

  get source() {
    return this.view.state.doc.toString();
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** Mark what is wrong, or nothing. `line` counts from 1; null: the file as a whole. */
  mark(problem) {
    const { doc } = this.view.state;
    const diagnostics = [];
    if (problem) {
      const line = doc.line(Math.max(1, Math.min(problem.line ?? 1, doc.lines)));
      const start = problem.column ? Math.min(line.from + Math.max(0, problem.column - 1), line.to) : line.from + (line.text.length - line.text.trimStart().length);
      diagnostics.push({ from: Math.min(start, Math.max(line.from, line.to - 1)), to: line.to, severity: "error", message: problem.message });
    }
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }

  goTo(number) {
    const { doc } = this.view.state;
    const line = doc.line(Math.max(1, Math.min(number, doc.lines)));
    this.view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
    this.view.focus();
  }
}
