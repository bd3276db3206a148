module skewless

go 1.25.0

require (
	github.com/redis/rueidis v1.0.79
	github.com/tinylib/msgp v1.6.5
)

require (
	github.com/philhofer/fwd v1.2.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
