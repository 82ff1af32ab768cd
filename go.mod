module github.com/dlfd-go/unlearn

go 1.25.0
