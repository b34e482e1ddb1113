import * as JobRepository from "../../src/ports/JobRepository.js"
import * as JobRepositorySuite from "../../src/testing/JobRepositorySuite.js"

JobRepositorySuite.suite("memory", JobRepository.layerMemory)
