// What HTML and CSS cannot do alone: keys for the theme's menu, hints at what is wider than its place, print.

function reachByKeys(label) {
  const button = document.createElement("button");
  button.className = label.className;
  button.setAttribute("aria-label", "Pages of this site");
  button.append(...label.childNodes);
  button.addEventListener("click", () => document.getElementById(label.htmlFor).click());
  label.replaceWith(button);
}

const WIDE = "article .table-wrapper, article pre, article .cell_output, article .math";

function markWide() {
  for (const box of document.querySelectorAll(WIDE)) {
    const wide = box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
    box.classList.toggle("wide", wide);
    if (wide) box.tabIndex = 0;
    else if (!box.matches("div.math")) box.removeAttribute("tabindex");
  }
}

function openFolds(open) {
  for (const fold of document.querySelectorAll("details.fold, article details:not(.here)")) {
    if (open && !fold.open) {
      fold.dataset.closed = "";
      fold.open = true;
    } else if (!open && "closed" in fold.dataset) {
      delete fold.dataset.closed;
      fold.open = false;
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("label.nav-overlay-icon").forEach(reachByKeys);
  markWide();
});
window.addEventListener("resize", markWide);
window.addEventListener("beforeprint", () => openFolds(true));
window.addEventListener("afterprint", () => openFolds(false));
document.addEventListener("toggle", markWide, true);
