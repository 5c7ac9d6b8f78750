"""The kit that every page is declared with: tables, their columns and filters, list pages, bulk actions, exports.

A list page is a `TableView` of five attributes. Rows are not rendered by a template: `columns` compiles each declared
column to one small function, because a template costs thirty times the query at fifty rows of fourteen cells.
"""
