import * as effect from "@effect/eslint-plugin"
import ts from "@typescript-eslint/eslint-plugin"
import tsParser from "@typescript-eslint/parser"
import sort from "eslint-plugin-sort-destructure-keys"

const format = {
  indentWidth: 2,
  lineWidth: 120,
  semiColons: "asi",
  quoteStyle: "alwaysDouble",
  trailingCommas: "never",
  operatorPosition: "maintain",
  "arrowFunction.useParentheses": "force"
}

export default [
  { ignores: ["**/dist", "**/docs", "**/api-docs", "**/coverage"] },
  ...effect.configs.dprint,
  {
    files: [
      "src/**/*.ts",
      "test/**/*.{ts,mjs}",
      "examples/**/*.ts",
      "bench/**/*.ts",
      "scripts/**/*.{ts,mjs}",
      "*.ts",
      "*.mjs"
    ],
    languageOptions: { parser: tsParser, sourceType: "module" },
    plugins: { "@typescript-eslint": ts, "sort-destructure-keys": sort },
    rules: {
      "@typescript-eslint/array-type": ["warn", { default: "generic", readonly: "generic" }],
      "@typescript-eslint/consistent-type-imports": "warn",
      "sort-destructure-keys/sort-destructure-keys": "error",
      "@effect/dprint": ["error", { config: format }]
    }
  },
  {
    files: ["src/**/*.ts", "test/**/*.ts"],
    rules: { "@effect/no-import-from-barrel-package": ["error", { packageNames: ["effect"] }] }
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-console": "error",
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }]
    }
  }
]
