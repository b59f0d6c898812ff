// Takes pictures of pages: pairs of an address and a file. First argument: path of Chromium.
const { chromium } = require("playwright-core");

(async () => {
  const [executablePath, ...pairs] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  for (let n = 0; n < pairs.length; n += 3) {
    const page = await browser.newPage({ viewport: { width: Number(pairs[n + 2]), height: 400 } });
    await page.goto(pairs[n], { waitUntil: "networkidle" });
    await page.screenshot({ path: pairs[n + 1], fullPage: true });
  }
  await browser.close();
})();
