// The page of a member, open: a use that is stopped or given back loses or gets its switch without a reload.
// The page says all of it without this too, when it is asked for again. What was typed elsewhere on it stays.
"use strict";
(() => {
  const told = document.getElementById("meanwhile");
  if (!told || !window.EventSource) return;
  const anew = async () => {
    const address = new URL(window.location.href);
    for (const name of ["saved", "changed", "unchanged"]) address.searchParams.delete(name);
    address.searchParams.set("meanwhile", "1");
    const answer = await fetch(address, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const use of document.querySelectorAll("section.use")) {
      const now = page.querySelector(`section.use[aria-labelledby="${use.getAttribute("aria-labelledby")}"]`);
      if (!now || !now.querySelector("[name=answer]") === !use.querySelector("[name=answer]")) continue;
      use.replaceWith(document.adoptNode(now));
      told.replaceChildren(...page.getElementById("meanwhile").children);
    }
  };
  const source = new EventSource("/me/events");
  source.addEventListener("offered", (event) => {
    if (event.data === told.dataset.offered) return;
    told.dataset.offered = event.data;
    anew();
  });
  source.addEventListener("error", () => source.close());
})();
