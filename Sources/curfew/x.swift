import ArgumentParser
import AsyncHTTPClient
import Configuration
@main struct M: ParsableCommand { }
