import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import ts from 'typescript'

/** A source file as text and syntax tree; `path` is relative to the checkout, with forward slashes. */
export interface Source {
  readonly path: string
  readonly tree: ts.SourceFile
}

export const parseSource = (path: string, text: string): Source => ({
  path,
  tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true),
})

export const readSource = (path: string): Source => parseSource(path, readFileSync(path, 'utf8'))

/** All files below a folder, sorted. */
export const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name)
      return statSync(path).isDirectory() ? filesBelow(path) : [path.split('\\').join('/')]
    })

export interface Import {
  /** As it stands in the source. */
  readonly specifier: string
  /** Path in the checkout for a relative import, else undefined. */
  readonly target: string | undefined
  /** Erased by the compiler: it cannot make a cycle at run time. */
  readonly typeOnly: boolean
  /** `import()`, which runs only where it is called. */
  readonly dynamic: boolean
  /** Names taken from the module; empty for a default, a namespace or a dynamic import. */
  readonly names: readonly string[]
  readonly line: number
}

/** Every import and re-export of a file. */
export const importsOf = ({ path, tree }: Source): readonly Import[] => {
  const found: Import[] = []
  const add = (node: ts.Node, specifier: string, rest: Pick<Import, 'typeOnly' | 'dynamic' | 'names'>): void => {
    const relative = specifier.startsWith('.')
    const target = relative ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts') : undefined
    found.push({ specifier, target, line: lineOf(tree, node), ...rest })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause
      const names = namesIn(clause?.namedBindings)
      const typeOnly = clause !== undefined && (clause.isTypeOnly || (!clause.name && allTypes(clause.namedBindings)))
      add(node, node.moduleSpecifier.text, { typeOnly, dynamic: false, names })
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node, node.moduleSpecifier.text, { typeOnly: node.isTypeOnly, dynamic: false, names: [] })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments
      if (specifier && ts.isStringLiteralLike(specifier)) {
        add(node, specifier.text, { typeOnly: false, dynamic: true, names: [] })
      }
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument
      if (ts.isStringLiteral(literal)) add(node, literal.text, { typeOnly: true, dynamic: false, names: [] })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

const namesIn = (bindings: ts.NamedImportBindings | undefined): readonly string[] =>
  bindings !== undefined && ts.isNamedImports(bindings)
    ? bindings.elements.map((element) => (element.propertyName ?? element.name).text)
    : []

const allTypes = (bindings: ts.NamedImportBindings | undefined): boolean =>
  bindings !== undefined &&
  ts.isNamedImports(bindings) &&
  bindings.elements.length > 0 &&
  bindings.elements.every((element) => element.isTypeOnly)

export const lineOf = (tree: ts.SourceFile, node: ts.Node): number =>
  tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1

export interface Field {
  readonly name: string
  readonly optional: boolean
}

/** The fields of an interface, inherited ones first. Inheritance within the given sources alone. */
export const fieldsOf = (name: string, sources: readonly Source[]): readonly Field[] => {
  const declaration = interfaceNamed(name, sources)
  if (declaration === undefined) throw new Error(`no interface ${name} in ${sources.map(({ path }) => path)}`)
  const parents = (declaration.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => type.getText()))
  const own = declaration.members.filter(ts.isPropertySignature).map((member) => ({
    name: (member.name as ts.Identifier).text,
    optional: member.questionToken !== undefined,
  }))
  return [...parents.flatMap((parent) => fieldsOf(parent, sources)), ...own]
}

const interfaceNamed = (name: string, sources: readonly Source[]): ts.InterfaceDeclaration | undefined =>
  sources
    .flatMap(({ tree }) => tree.statements)
    .filter(ts.isInterfaceDeclaration)
    .find((declaration) => declaration.name.text === name)

/** `type` → name of the interface of `data`, for each member of the union of events. */
export const eventTypes = (events: Source): ReadonlyMap<string, string> => {
  const union = events.tree.statements
    .filter(ts.isTypeAliasDeclaration)
    .find((alias) => alias.name.text === 'BudgetEvent')
  if (union === undefined || !ts.isUnionTypeNode(union.type)) throw new Error('BudgetEvent is no union')
  return new Map(union.type.types.map((member) => memberOf(member as ts.TypeLiteralNode)))
}

const memberOf = (member: ts.TypeLiteralNode): [type: string, data: string] => {
  const [type, data] = ['type', 'data'].map((name) =>
    member.members.filter(ts.isPropertySignature).find((property) => (property.name as ts.Identifier).text === name),
  )
  const literal = type?.type
  if (literal === undefined || !ts.isLiteralTypeNode(literal) || !ts.isStringLiteral(literal.literal)) {
    throw new Error(`an event without a type: ${member.getText()}`)
  }
  return [literal.literal.text, data?.type?.getText() ?? '']
}
