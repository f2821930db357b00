// Writes a sheet in every way of exceljs and SheetJS: `node workbooks.cjs FOLDER`.
const path = require("path");
const { Workbook } = require("exceljs");
const { utils, writeFile } = require("xlsx");

const HEADER = ["Key", "Share", "Day", "Flag", "Total", "Name", "At"];
const FORMATS = { A: "00000", B: "0%", C: "yyyy-mm-dd", G: "yyyy-mm-dd hh:mm" };
const NOON = new Date(Date.UTC(2026, 0, 31, 12));
const TOTALS = {
  values: { formula: "B2*4", result: 1 },
  missing: { formula: "B2*4" },
  error: { formula: "1/0", error: "#DIV/0!" },
};

async function exceljs(total, file) {
  const book = new Workbook();
  const sheet = book.addWorksheet("Rows");
  sheet.addRow(HEADER);
  const result = total.error ? { error: total.error } : total.result;
  const name = { richText: [{ text: "Gr" }, { font: { bold: true }, text: "ün" }] };
  sheet.addRow([123, 0.25, new Date(Date.UTC(2026, 0, 31)), true, { formula: total.formula, result }, name, NOON]);
  for (const [column, format] of Object.entries(FORMATS)) sheet.getCell(`${column}2`).numFmt = format;
  await book.xlsx.writeFile(file);
}

async function sheetjs(total, file) {
  const sheet = utils.aoa_to_sheet([HEADER, [123, 0.25, 46053, true, 0, "Grün", NOON]], { cellDates: true });
  for (const [column, format] of Object.entries(FORMATS)) sheet[`${column}2`].z = format;
  sheet.E2 = { f: total.formula, t: total.result === undefined ? "z" : "n", v: total.result };
  if (total.error) sheet.E2 = { f: total.formula, t: "e", v: 7, w: total.error };
  writeFile({ SheetNames: ["Rows"], Sheets: { Rows: sheet } }, file, { sheetStubs: true });
}

async function main(folder) {
  for (const [kind, total] of Object.entries(TOTALS)) {
    await exceljs(total, path.join(folder, `exceljs-${kind}.xlsx`));
    for (const extension of ["xlsx", "xlsm", "xlsb", "xls"]) {
      await sheetjs(total, path.join(folder, `sheetjs-${kind}.${extension}`));
    }
  }
}

main(process.argv[2]);
