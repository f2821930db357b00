// Reads statements as a JSON list of {soql, binds}, and writes what @salesforce/soql-common says to each: null, or why not.
const {CommonTokenStream} = require("antlr4ts");
const {LowerCasingCharStream} = require("@salesforce/soql-common/lib/soql-parser/soql-parser");
const {SoqlLexer} = require("@salesforce/soql-common/lib/soql-parser/generated/SoqlLexer");
const {SoqlParser} = require("@salesforce/soql-common/lib/soql-parser/generated/SoqlParser");
const {ParserHelper} = require("@salesforce/soql-common/lib/soql-parser/parserHelper");

const API_VERSION = 60;

function refusal({soql, binds}) {
  const errors = [];
  const listener = {
    syntaxError: (_recognizer, _symbol, line, column, message) => errors.push(`${line}:${column} ${message}`),
  };
  const lexer = new SoqlLexer(new LowerCasingCharStream(soql));
  const parser = new SoqlParser(new CommonTokenStream(lexer));
  for (const each of [lexer, parser]) { // the package itself only prints what its lexer cannot read
    each.removeErrorListeners();
    each.addErrorListener(listener);
  }
  parser.helper = new ParserHelper(binds, API_VERSION, true);
  parser.soqlQuery();
  return errors[0] ?? null;
}

const statements = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(statements.map(refusal)));
