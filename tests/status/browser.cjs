// Opens a page in Chromium; prints, as JSON: accessibility violations, scripts' traces, overflow, at two widths and in
// both colour schemes. Arguments: address, path of Chromium, folder for screenshots.
const { chromium } = require("playwright-core");
const axe = require("axe-core");

(async () => {
  const [address, executablePath, folder] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const seen = [];
  for (const width of [360, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      // axe is a script, which the page's own policy keeps out.
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true });
      const page = await context.newPage();
      const faults = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("dialog", (dialog) => { faults.push("dialog"); dialog.dismiss(); });
      page.on("requestfailed", (request) => faults.push(request.url()));
      await page.goto(address, { waitUntil: "networkidle" });
      await page.screenshot({ path: `${folder}/${width}-${colorScheme}.png`, fullPage: true });
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => axe.run());
      seen.push({
        width,
        colorScheme,
        faults,
        violations: violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`),
        overflow: await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
        elements: await page.evaluate(() => document.querySelectorAll("script, img, iframe, svg").length),
        heading: await page.evaluate(() => document.querySelector("h1").textContent),
      });
      await context.close();
    }
  }
  // The page as it is served, policy and all, with scripts switched on.
  const page = await browser.newPage();
  await page.goto(address);
  seen.push({ policy: await page.evaluate(() => { const s = document.createElement("script"); s.textContent = "window.ran = true"; document.head.append(s); return window.ran === undefined; }) });
  await browser.close();
  console.log(JSON.stringify(seen));
})();
