#!/usr/bin/env bash
# soql-common, Salesforce's parser of SOQL, calls queries valid whose characters it cannot read.
#
# Input:    two queries with characters that SOQL does not have, `SELECT [Id] FROM Account;` and
#           `SELECT Id FROM Account WHERE Name ! = 'a'`, and one without a FROM, through parseQuery.
# Expected: getSuccess() is false for each, as getParserErrors() promises: an org refuses them all.
# Seen:     true for the first two. What the lexer cannot read is printed to the console and left
#           out, and only the errors of the parser behind it are collected. A caller has to add an
#           error listener to the lexer. (antlr4ts is needed too, and is no dependency of the package.)
# Version:  @salesforce/soql-common 0.2.2, antlr4ts 0.5.0-alpha.4, any Node from 12.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit --prefix . \
  @salesforce/soql-common@0.2.2 antlr4ts@0.5.0-alpha.4
cat >judge.cjs <<'NODE'
const {SOQLParser} = require("@salesforce/soql-common/lib/soql-parser");
const parser = SOQLParser({isApex: false, isMultiCurrencyEnabled: true, apiVersion: 60});
const queries = ["SELECT [Id] FROM Account;", "SELECT Id FROM Account WHERE Name ! = 'a'", "SELECT Id"];
const found = queries.map((soql) => parser.parseQuery(soql).getSuccess());
queries.forEach((soql, at) => console.log(found[at], soql));
process.exit(JSON.stringify(found) === "[true,true,false]" ? 0 : 1);
NODE
node judge.cjs
