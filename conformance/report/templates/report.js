"use strict";
// What the page can do beyond being read: filter, fold, copy, keys, themes. It asks nothing of any network, and builds no markup
// from text: what it unfolds was written and escaped when the page was made.
(() => {
  const $ = (id) => document.getElementById(id);
  const filter = $("filter"), found = $("found"), help = $("help"), shortcuts = $("shortcuts");
  const items = [...document.querySelectorAll("[data-item]")].map((element) => ({ element, shown: true, text: null }));
  const piles = [...document.querySelectorAll(".pile")]; // of cards that are laid out only when they are near
  const groups = [...document.querySelectorAll("[data-group]")].reverse(); // inner ones before those around them
  const totals = { failure: 0, kept: 0, op: 0, rule: 0 };
  for (const { element } of items) totals[element.dataset.item] += 1;

  // -- what is remembered: in the browser where it allows it, else for as long as the page is open
  const remembered = (name) => { try { return localStorage.getItem(`conformance ${name}`); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(`conformance ${name}`, value); } catch { /* not allowed here */ } };

  // -- folding: the inside of a card is one piece of text until it is wanted
  const unfold = (card) => {
    const kept = card.querySelector(":scope > noscript");
    if (!kept) return;
    const inside = new DOMParser().parseFromString(kept.textContent, "text/html").body;
    kept.replaceWith(...inside.childNodes);
    addCopyButtons(card);
  };
  const open = (card) => { unfold(card); card.open = true; };
  const cards = () => items.filter((item) => item.element.dataset.item === "failure").map((item) => item.element);

  // -- copying
  const toClipboard = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed: the old way */ }
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copy = async (button, pre) => {
    const done = await toClipboard(pre.textContent);
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
    say(done ? `Copied: ${pre.dataset.copy}.` : "The browser does not allow copying.");
  };
  const addCopyButtons = (root) => {
    for (const pre of root.querySelectorAll("pre[data-copy]")) {
      const fold = pre.closest(".fold");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${pre.dataset.copy}`);
      button.addEventListener("click", () => copy(button, pre));
      if (fold) fold.append(button);
      else {
        const around = document.createElement("div");
        around.className = "copyable";
        pre.replaceWith(around);
        around.append(pre, button);
      }
    }
  };

  // -- filtering: tokens key:value, words, and a minus before what is to be left out
  const KEYS = new Set(["rule", "area", "verdict", "op", "is", "level", "kind"]);
  const WHOLE = new Set(["verdict", "level", "area", "op"]);
  const parse = (query) => (query.toLowerCase().match(/-?\w+:"[^"]*"|\S+/g) || []).map((word) => {
    const out = word.startsWith("-") && word.length > 1;
    const bare = out ? word.slice(1) : word;
    const colon = bare.indexOf(":");
    const key = bare.slice(0, colon);
    if (colon < 1 || !KEYS.has(key)) return { out, key: "", value: bare };
    return { out, key, value: bare.slice(colon + 1).replaceAll('"', "").replace(/\*$/, "") };
  }).filter((token) => token.value);
  const textOf = (item) => {
    if (item.text === null) {
      const { element } = item;
      const told = element.dataset.item === "failure" ? element.querySelector("summary") : element;
      item.text = `${told.textContent} ${element.dataset.op || ""}`.toLowerCase();
    }
    return item.text;
  };
  const holds = (item, token) => {
    if (!token.key) return textOf(item).includes(token.value);
    const held = item.element.dataset[token.key];
    if (held === undefined) return false;
    const words = token.key === "kind" ? [held] : held.split(" ");
    return words.map((word) => word.toLowerCase()).some((word) => (WHOLE.has(token.key) ? word === token.value : word.startsWith(token.value)));
  };
  const passes = (item, tokens) => {
    const wanted = new Map(); // key -> whether any of its values holds
    for (const token of tokens) {
      const held = holds(item, token);
      if (token.out) { if (held) return false; continue; }
      if (!token.key) { if (!held) return false; continue; }
      wanted.set(token.key, wanted.get(token.key) || held);
    }
    return [...wanted.values()].every(Boolean);
  };
  const say = (text) => { found.textContent = text; };
  const tell = (counts) => {
    const names = { failure: ["failure", "failures"], kept: ["kept program", "kept programs"], op: ["op", "ops"], rule: ["rule", "rules"] };
    const parts = Object.keys(names).filter((kind) => totals[kind]).map((kind) => {
      const [one, many] = names[kind];
      return `${counts[kind].toLocaleString("en")} of ${totals[kind].toLocaleString("en")} ${totals[kind] === 1 ? one : many}`;
    });
    say(parts.length ? `${parts.join(", ")} shown` : "nothing to filter");
  };
  const apply = (query) => {
    const tokens = parse(query);
    const counts = { failure: 0, kept: 0, op: 0, rule: 0 };
    for (const item of items) {
      const shown = passes(item, tokens);
      if (shown !== item.shown) { item.shown = shown; item.element.hidden = !shown; }
      if (shown) counts[item.element.dataset.item] += 1;
    }
    for (const group of groups) group.hidden = tokens.length > 0 && !group.querySelector("[data-item]:not([hidden])");
    for (const pile of piles) pile.style.containIntrinsicBlockSize = `${4.9 * pile.querySelectorAll(":scope > .card:not([hidden])").length}rem`;
    for (const area of document.querySelectorAll("#saved details")) if (tokens.some((token) => token.key === "op")) area.open = true;
    if (tokens.length) tell(counts); else say("");
  };

  // -- the address: #?q=filter&at=anchor, or a plain #anchor
  const address = (query, at) => {
    if (!query) return at ? `#${at}` : "#";
    return `#?q=${encodeURIComponent(query)}${at ? `&at=${encodeURIComponent(at)}` : ""}`;
  };
  const read = () => {
    const hash = location.hash.slice(1);
    if (!hash.startsWith("?")) return { query: "", at: decodeSafely(hash) };
    const fields = new URLSearchParams(hash.slice(1));
    return { query: fields.get("q") || "", at: fields.get("at") || "" };
  };
  const decodeSafely = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const follow = () => {
    const { query, at } = read();
    if (filter.value !== query) { filter.value = query; }
    apply(query);
    const target = at && $(at);
    if (target) {
      if (target.matches("details.card")) open(target);
      target.closest("details")?.setAttribute("open", "");
      target.scrollIntoView({ block: "start" });
      current = target.matches("[data-item]") ? target : current;
    } else if (query && location.hash.startsWith("#?")) {
      document.querySelector("[data-group] [data-item]:not([hidden])")?.closest("section").scrollIntoView({ block: "start" });
    }
  };
  const show = (query, at) => { history.replaceState(null, "", address(query, at)); };

  // -- moving
  let current = null;
  const stops = () => {
    const shown = items.filter((item) => item.shown).map((item) => item.element);
    const failures = shown.filter((element) => element.dataset.item === "failure");
    return failures.length ? failures : shown.filter((element) => element.dataset.item === "rule");
  };
  const move = (by) => {
    const all = stops();
    if (!all.length) return;
    const place = all.indexOf(current);
    current = all[place < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(place + by, 0), all.length - 1)];
    const handle = current.querySelector(":scope > summary") || current;
    if (handle === current) current.tabIndex = -1;
    handle.focus({ preventScroll: true });
    current.scrollIntoView({ block: "start" });
    show(filter.value, current.id);
  };
  const copyCurrent = () => {
    if (!current || !current.matches("details.card")) { say("No failure is chosen: press j."); return; }
    open(current);
    const scripts = [...current.querySelectorAll('.fold pre[data-copy^="Script for"]')];
    if (scripts.length) copy(scripts.at(-1).closest(".fold").querySelector("button"), scripts.at(-1));
  };
  const DOES = {
    "/": () => filter.focus(),
    "?": () => help.showModal(),
    "j": () => move(1),
    "k": () => move(-1),
    "c": copyCurrent,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "Escape" && filter.value) {
      event.preventDefault();
      filter.value = "";
      apply("");
      show("", "");
    } else if (!typing && shortcuts.checked && Object.hasOwn(DOES, event.key)) {
      event.preventDefault();
      DOES[event.key]();
    }
  });

  // -- themes: as the system has it, or as chosen
  const THEMES = ["system", "light", "dark"];
  const dress = (theme) => {
    document.documentElement.dataset.theme = theme;
    $("theme").textContent = `Theme: ${theme}`;
  };
  $("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    dress(next);
    remember("theme", next);
  });
  dress(THEMES.find((theme) => theme === remembered("theme")) || "system");

  // -- all the rest
  $("keys").addEventListener("click", () => help.showModal());
  $("close").addEventListener("click", () => help.close());
  shortcuts.checked = remembered("shortcuts") !== "off";
  shortcuts.addEventListener("change", () => remember("shortcuts", shortcuts.checked ? "on" : "off"));
  const expand = $("expand");
  if (!totals.failure) expand.remove();
  const setExpand = () => { expand.textContent = cards().some((card) => !card.hidden && !card.open) ? "Open all" : "Close all"; };
  expand.addEventListener("click", () => {
    const opening = expand.textContent === "Open all";
    for (const card of cards()) if (!card.hidden) { if (opening) open(card); else card.open = false; }
    setExpand();
  });
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("details.card")) return;
    if (event.target.open) unfold(event.target);
    setExpand();
  }, true); // toggle does not bubble
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest("details.card");
    if (card) current = card;
  });
  filter.addEventListener("input", () => { apply(filter.value); show(filter.value, ""); });
  for (const link of document.querySelectorAll("a[data-q]")) link.href = address(link.dataset.q, "");
  addEventListener("beforeprint", () => { for (const card of cards()) if (!card.hidden) open(card); });
  addEventListener("hashchange", follow);
  for (const card of document.querySelectorAll("details.card[open]")) unfold(card);
  $("tools").hidden = false;
  addCopyButtons(document);
  setExpand();
  if (location.hash.length > 1) follow(); else apply("");
})();
