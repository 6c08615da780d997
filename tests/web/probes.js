// What the browser's tests ask of a page; the gallery puts these on `window`.

/** Every element below a root, through all shadow roots. */
export function all(top = document) {
  return [...top.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
}

/** Open everything that can be opened. */
export function unfold() {
  for (const one of all()) if (one.matches("[data-fold], summary")) one.click();
}

/** What hostile text could have become: elements that no template of ours has, handlers, addresses that run. */
export function odd() {
  const strange = "script:not([type=module]), iframe, object, embed, math, img, base, form[action], link, meta:not([charset])";
  const addresses = ["href", "src", "action", "formaction"];
  return all(document.body)
    .filter(
      (one) =>
        one.matches(strange) ||
        [...one.attributes].some(
          ({ name, value }) =>
            name.startsWith("on") || (addresses.includes(name) && /^\s*(javascript|data|vbscript):/i.test(value)),
        ),
    )
    .map((one) => one.outerHTML.slice(0, 200));
}

/** Take texts for markup, as our elements never do. */
export function trust(texts) {
  for (const text of texts) {
    const place = document.createElement("div");
    document.body.append(place);
    place.innerHTML = text;
  }
}

/** What sticks out of a panel to the right. */
export function sticking() {
  return [...document.querySelectorAll("wm-panel")].flatMap((panel) => {
    const edge = panel.getBoundingClientRect().right + 0.5;
    return all(panel.shadowRoot)
      .filter((one) => one.getClientRects().length && !one.closest(".wm-line, .wm-name, .wm-bar, select"))
      .filter((one) => one.getBoundingClientRect().right > edge)
      .map((one) => `${one.localName}.${one.className} ${one.textContent.slice(0, 60)}`);
  });
}

/** The texts that a screen reader says by itself when they change. */
export function spoken() {
  return all()
    .filter((one) => one.matches("[role=status]"))
    .map((one) => one.textContent);
}

/** The element that has the focus, through all shadow roots. */
export function focused() {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one;
}
