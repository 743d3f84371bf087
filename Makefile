# Aliases for ./run, which is where things happen.
.PHONY: demo test lint
demo test lint:
	@./run $@
