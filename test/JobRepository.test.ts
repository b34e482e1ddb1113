import * as JobRepository from "../src/JobRepository.js"
import * as JobRepositorySuite from "../src/testing/JobRepositorySuite.js"

JobRepositorySuite.suite("memory", JobRepository.layerMemory)
